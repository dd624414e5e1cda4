"""What flows through the registry: queries, documents, candidates, scores, rankings, data sets. Text is NFC-normalised
on the way in (Vietnamese arrives in both forms), so that equal texts compare equal everywhere after. All is read-only
all the way down: plugins are given the very objects that others are judged by."""

import math
import struct
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, fields
from functools import cache, cached_property
from typing import Any, Literal, NoReturn, Self

from rr.errors import DataError, RerankError, ScoringError

__all__ = ["Dataset", "Document", "HardNegative", "Query", "RankedDocument", "Ranking", "Request", "Scale", "Scores"]
__all__ += ["State"]

Scale = Literal["logit", "probability", "cosine", "rank"]
"""What a score means. `rank`: only the order is meaningful."""
State = Literal["no weights", "pretrained", "untrained", "trained"]
"""Where a scorer's weights come from. `untrained`: some of them are still random."""
Protocol = Literal["end-to-end", "oracle"]
"""`end-to-end`: what the first stage missed counts as missed. `oracle`: the truth is put among the candidates."""
Qrels = Mapping[str, Mapping[str, int]]
"""Query id → document id → grade; a grade above 0 is relevant. A query that has none, or `{}`, has no answer."""
Run = Mapping[str, Mapping[str, float]]
"""Query id → document id → score."""
LARGEST = (2 - 2**-24) * 2.0**127  # from here on, 32 bits round to infinity


def nfc(text: str) -> str:
    """Raises DataError where the text holds half of a surrogate pair, which no file can be written with."""
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise DataError(f"the text {text[:40]!a} holds half of a surrogate pair; repair its encoding")
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def folded(text: str) -> str:
    """What equal texts have in common: a run of blanks is one. `text` is NFC-normalised, as those of queries are."""
    return " ".join(text.split())


class ReadOnly(dict[Any, Any]):
    """A mapping that cannot be changed; JSON, copies and pickles take it for the dictionary that it is."""

    def _refuse(self, *arguments: object, **named: object) -> NoReturn:
        raise TypeError("this mapping is read-only; make a copy to change: dict(…)")

    __setitem__ = __delitem__ = clear = pop = popitem = setdefault = update = __ior__ = _refuse

    def __reduce__(self) -> tuple[type[Self], tuple[dict[Any, Any]]]:
        return type(self), (dict(self),)

    def __deepcopy__(self, memo: object) -> Self:
        return self


def read_only(value: Any) -> Any:
    """The value with every mapping, list and set in it replaced by one that cannot be changed."""
    if isinstance(value, ReadOnly | str | int | float | Document | Query):
        return value
    if isinstance(value, Mapping):
        return ReadOnly({key: read_only(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return tuple(map(read_only, value))
    return frozenset(value) if isinstance(value, Set) else value


@dataclass(frozen=True, slots=True)
class Document:
    """A text that can be ranked. `title` is what a list of candidates shows where the whole text is too long."""

    id: str
    text: str
    title: str = ""
    metadata: Mapping[str, object] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", nfc(self.text))
        object.__setattr__(self, "title", nfc(self.title))
        object.__setattr__(self, "metadata", read_only(self.metadata))

    @property
    def content(self) -> str:
        """Title and text as one passage."""
        return f"{self.title}\n{self.text}" if self.title and self.text else self.title or self.text

    @property
    def blank(self) -> bool:
        """Whether there is nothing to read."""
        return not self.title.strip() and not self.text.strip()


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked. In sequential recommendation `history` holds what the user met, oldest first, and `text` spells
    out its newest titles for rerankers that read text only."""

    id: str
    text: str
    history: tuple[Document, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", nfc(self.text))


@dataclass(frozen=True, slots=True)
class Request:
    """One query with the candidates to be ranked, and the first stage's score of each where there was one. Raises
    DataError: two candidates share an id, or `first_stage` has another length than `candidates`."""

    query: Query
    candidates: tuple[Document, ...]
    first_stage: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if len({document.id for document in self.candidates}) != len(self.candidates):
            raise DataError(f"query {self.query.id!r}: two candidates share an id; give each document its own")
        if self.first_stage is not None and len(self.first_stage) != len(self.candidates):
            count = f"{len(self.first_stage)} first-stage scores for {len(self.candidates)} candidates"
            raise DataError(f"query {self.query.id!r}: {count}; give one a candidate, or none")


@dataclass(frozen=True, slots=True)
class Scores:
    """A scorer's answer to one request: `values[i]` belongs to `request.candidates[i]`. `diagnostics` are figures of
    this request alone (a truncated document counts 1.0 …); the evaluator shows their means. `ranked_by`:
    where `values` saturate (the sigmoid of a logit of 20 is 1 in 32 bits), the numbers that they were made from;
    candidates are ordered, and runs written, by these. They must never contradict `values`."""

    values: tuple[float, ...]
    diagnostics: Mapping[str, float] = field(default_factory=dict)
    ranked_by: tuple[float, ...] | None = None

    @property
    def keys(self) -> tuple[float, ...]:
        """What the candidates are ordered by."""
        return self.values if self.ranked_by is None else self.ranked_by


@dataclass(frozen=True, slots=True)
class RankedDocument:
    """`rank`: 1 for the best. `ranked_by`: what it is ordered by where its score saturates (`Scores.ranked_by`)."""

    document: Document
    score: float
    rank: int
    ranked_by: float | None = None


@dataclass(frozen=True, slots=True)
class Ranking:
    """The candidates of a request, best first: all of them, or those that were asked for. Iterates over its items."""

    query: Query
    items: tuple[RankedDocument, ...]
    diagnostics: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_scores(cls, request: Request, answer: Scores | Sequence[float]) -> "Ranking":
        """Sorts the candidates by score; ties go the way of trec_eval (see `trec_order`). Raises ScoringError: not one
        finite number a candidate. Nothing is filled in, cut or skipped."""
        answer = checked_scores(request, answer)
        place = {document.id: index for index, document in enumerate(request.candidates)}
        order = [place[id_] for id_ in trec_order(dict(zip(place, answer.keys, strict=True)))]
        keys = answer.ranked_by or (None,) * len(order)
        items = (RankedDocument(request.candidates[i], answer.values[i], n, keys[i]) for n, i in enumerate(order, 1))
        return cls(request.query, tuple(items), answer.diagnostics)

    def __iter__(self) -> Iterator[RankedDocument]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def to_dict(self, probabilities: Mapping[str, float] | None = None) -> dict[str, Any]:
        """As JSON has it, and `rr rerank` writes it; `probabilities`: of each document's id, where they are known."""
        rows = []
        for item in self.items:
            one, known = item.document, {"probability": probabilities[item.document.id]} if probabilities else {}
            row = {"rank": item.rank, "score": item.score, **known, "id": one.id, "text": one.text}
            rows.append(row | {k: v for k, v in (("title", one.title), ("metadata", dict(one.metadata))) if v})
        return {"id": self.query.id, "query": self.query.text, "ranking": rows}

    def to_pandas(self, probabilities: Mapping[str, float] | None = None) -> Any:
        """A DataFrame of what `to_dict` says, a row a document. Raises RerankError: pandas is not installed."""
        try:
            from pandas import DataFrame
        except ModuleNotFoundError as error:
            raise RerankError("to_pandas needs pandas, which is not installed; pip install pandas") from error
        rows = [{"title": "", "metadata": {}} | row for row in self.to_dict(probabilities)["ranking"]]
        known = ["probability"] if probabilities else []
        return DataFrame(rows, columns=["rank", "score", *known, "id", "text", "title", "metadata"])

    @property
    def scores(self) -> dict[str, float]:
        """Document id → score, best first."""
        return {item.document.id: item.score for item in self.items}

    @property
    def run(self) -> dict[str, float]:
        """Document id → what it is ordered by, best first: the run that trec_eval reads in this very order."""
        return {i.document.id: i.score if i.ranked_by is None else i.ranked_by for i in self.items}


def checked_scores(request: Request, answer: Scores | Sequence[float]) -> Scores:
    """The one gate between a scorer and everything that reads its scores. Raises ScoringError: a wrong number of
    scores, a score that is no number, or one that is NaN or infinite."""
    where = f"query {request.query.id!r}:"
    given = answer if isinstance(answer, Scores) else Scores(answer)  # type: ignore[arg-type]
    if not isinstance(given.diagnostics, Mapping):
        raise ScoringError(f"{where} diagnostics are {type(given.diagnostics).__name__}, not a mapping")
    numbers = zip(list(given.diagnostics), _flat(where, list(given.diagnostics.values())), strict=True)
    ranked_by = None if given.ranked_by is None else _flat(where, given.ranked_by)
    scores = Scores(_flat(where, given.values), dict(numbers), ranked_by)
    if len(scores.values) != len(request.candidates):
        raise ScoringError(f"{where} {len(scores.values)} scores for {len(request.candidates)} candidates")
    bad = sum(not math.isfinite(value) for value in scores.values)
    if bad:
        raise ScoringError(f"{where} {bad} of {len(scores.values)} scores are NaN or infinite")
    for name, value in scores.diagnostics.items():
        if not math.isfinite(value):
            raise ScoringError(f"{where} diagnostic {name!r} is NaN or infinite")
    if ranked_by is not None:
        if len(ranked_by) != len(scores.values) or not all(map(math.isfinite, ranked_by)):
            raise ScoringError(f"{where} ranked_by must hold one finite number a candidate")
        ordered = [value for _, value in sorted(zip(ranked_by, scores.values, strict=True))]
        if ordered != sorted(ordered):
            raise ScoringError(f"{where} ranked_by and the scores put candidates in another order")
    return scores


def _flat(where: str, answer: object) -> tuple[float, ...]:
    what = f"{where} the scorer's answer is not a flat sequence of numbers"
    if isinstance(answer, str | bytes | bytearray | memoryview | Mapping | Set) or not isinstance(answer, Iterable):
        raise ScoringError(f"{what} but {type(answer).__name__}")
    values = []
    for value in answer:
        try:
            if isinstance(value, str | bytes):
                raise TypeError(f"{value!r} is text")
            values.append(float(value))
        except (TypeError, ValueError, OverflowError, RuntimeError) as error:
            raise ScoringError(f"{what} ({error})") from error
    return tuple(values)


def float32(values: Iterable[float]) -> tuple[float, ...]:
    """The values as trec_eval holds them; beyond the range of 32 bits, infinite."""
    held = [math.copysign(math.inf, value) if abs(value) > LARGEST else value for value in values]
    layout = f"{len(held)}f"
    return struct.unpack(layout, struct.pack(layout, *held))


def trec_order(scores: Mapping[str, float]) -> list[str]:
    """Document ids by descending score, equal scores by descending id: the order in which trec_eval reads a run, whose
    scores it holds in 32 bits. It is the one order of everything here: rankings, runs, cutoffs and metrics; it does not
    look at the input order, so that a constant scorer cannot profit from it."""
    held = dict(zip(scores, float32(scores.values()), strict=True))
    return sorted(sorted(scores, reverse=True), key=lambda id_: -held[id_])


def lost_in_32_bits(scores: Iterable[float]) -> bool:
    """Whether two different scores are one number in 32 bits: their order is that of the ids, as in trec_eval."""
    return len(set(float32(distinct := set(scores)))) < len(distinct)


@dataclass(frozen=True, slots=True)
class HardNegative:
    """A document that looks relevant to a query and is not; `types` say in what it differs (price, location …), and
    `weight` multiplies its exponential in a contrastive loss; 1.0 is an ordinary negative."""

    document_id: str
    types: tuple[str, ...] = ()
    weight: float = 1.0


@dataclass(frozen=True)
class Dataset:
    """Documents, queries, judgements, splits and the frozen candidates of every query: `candidates[q]` is in one
    order for every reranker (docs/data.md); `first_stage[q]` is parallel to it, and absent where nothing scored them.
    `groups` and `facets`: as of a `Collection`; no reranker or trainer is shown the facets. `fingerprint` is a SHA-256
    over all that is ranked and judged: equal ones mean the very same evaluation. `report`: figures (docs/data.md)."""

    name: str
    documents: Mapping[str, Document]
    queries: Mapping[str, Query]
    qrels: Qrels
    splits: Mapping[str, tuple[str, ...]]
    candidates: Mapping[str, tuple[str, ...]]
    first_stage: Mapping[str, tuple[float, ...]]
    hard_negatives: Mapping[str, tuple[HardNegative, ...]]
    retriever: str
    protocol: Protocol
    notes: tuple[str, ...]
    fingerprint: str
    groups: Mapping[str, str] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)
    facets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for one in fields(self):
            object.__setattr__(self, one.name, read_only(getattr(self, one.name)))

    def requests(self, split: str) -> list[Request]:
        """One request for every query of the split, in the split's order. Under protocol oracle without the first
        stage's scores: a truth that was put in would be known by its own."""
        candidates = {q: tuple(self.documents[id_] for id_ in self.candidates[q]) for q in self.splits[split]}
        shown = {} if self.protocol == "oracle" else self.first_stage
        return [Request(self.queries[q], documents, shown.get(q)) for q, documents in candidates.items()]

    def relevant(self, query_id: str) -> set[str]:
        """The ids of the relevant documents that can be read. One that is blank or not in `documents` is judged
        relevant all the same: it stands in `qrels`, and counts as missed."""
        relevant = (id_ for id_, grade in self.qrels[query_id].items() if grade > 0)
        return {id_ for id_ in relevant if id_ in self.documents and not self.documents[id_].blank}

    def recall_ceiling(self, split: str) -> float:
        """The best recall that any reranker can reach: the mean share of relevant documents that are candidates."""
        relevant = {q: {id_ for id_, grade in self.qrels[q].items() if grade > 0} for q in self.splits[split]}
        shares = [len(r & set(self.candidates[q])) / len(r) for q, r in relevant.items() if r]
        return sum(shares) / max(len(shares), 1)

    @cached_property
    def asking_the_same(self) -> Mapping[str, Sequence[str]]:
        """Query id → the judged queries that ask the same, which a model cannot tell from it; itself among them."""
        equal = equal_queries(self.queries.values())
        judged: dict[str, list[str]] = {first: [] for first in equal.values()}
        for query_id in filter(self.qrels.__contains__, equal):
            judged[equal[query_id]].append(query_id)
        return {query_id: tuple(judged[first]) for query_id, first in equal.items()}


def equal_queries(queries: Iterable[Query]) -> dict[str, str]:
    """Query id → the id of the first query that asks the same, by its text and its history's."""
    content = cache(lambda met: folded(met.content) or met.id)  # of documents, which stand in many histories
    first, equal = dict[tuple[str, ...], str](), dict[str, str]()
    for query in queries:
        equal[query.id] = first.setdefault((folded(query.text), *map(content, query.history)), query.id)
    return equal
