"""The nouns of reranking: frozen and light, importable without any heavy package.

Text is NFC-normalised on the way in (Vietnamese arrives in both composed and decomposed form), so that equal
texts compare equal everywhere after.
"""

from __future__ import annotations

import math
import struct
import unicodedata
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Literal

from rr.errors import DataError, ScoringError

Scale = Literal["logit", "probability", "cosine", "rank"]
"""What a score means. `rank`: only the order is meaningful."""

State = Literal["no weights", "pretrained", "untrained", "trained"]
"""Where a scorer's weights come from. `untrained`: some of them are still random."""

Protocol = Literal["end-to-end", "oracle"]
"""`end-to-end`: what the first stage missed counts as missed. `oracle`: the truth is put among the candidates."""

Beyond = Literal["window", "tournament"]
"""How more candidates than fit are reranked: `rr.rerank.window`, `rr.rerank.tournament`."""

Permutation = Literal["cyclic", "random"]
"""Which orders of its candidates a scorer is asked about: rotations, or seeded random ones (`rr.rerank.permute`)."""

Unfilled = Literal["skip", "keep", "error"]
"""What becomes of template text that was never filled in: left out with its judgements, kept, or refused."""

Qrels = Mapping[str, Mapping[str, int]]
"""Query id → document id → grade; a grade above 0 is relevant."""

Run = Mapping[str, Mapping[str, float]]
"""Query id → document id → score."""


def nfc(text: str) -> str:
    """
    Raises:
        DataError: the text holds half of a surrogate pair, which no file can be written with.
    """
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise DataError(f"the text {text[:40]!a} holds half of a surrogate pair; repair its encoding")
    return unicodedata.normalize("NFC", text)


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
    """What is asked. In sequential recommendation `history` holds what the user met, oldest first, and `text`
    spells out its newest titles for rerankers that read text only."""

    id: str
    text: str
    history: tuple[Document, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", nfc(self.text))


@dataclass(frozen=True, slots=True)
class Request:
    """One query with the candidates to be ranked, and the first stage's score of each where there was one.

    Raises:
        DataError: two candidates share an id, or `first_stage` has another length than `candidates`.
    """

    query: Query
    candidates: tuple[Document, ...]
    first_stage: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if len({document.id for document in self.candidates}) != len(self.candidates):
            raise DataError(f"query {self.query.id!r}: two candidates share an id; give each document its own")
        if self.first_stage is not None and len(self.first_stage) != len(self.candidates):
            raise DataError(
                f"query {self.query.id!r}: {len(self.first_stage)} first-stage scores "
                f"for {len(self.candidates)} candidates; give one a candidate, or none"
            )


@dataclass(frozen=True, slots=True)
class Scores:
    """A scorer's answer to one request: `values[i]` belongs to `request.candidates[i]`.

    `diagnostics` are figures of this request alone (a truncated document counts 1.0, the probability mass on the
    labels is 0.93 …); the evaluator shows their means over the queries.
    """

    values: tuple[float, ...]
    diagnostics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RankedDocument:
    document: Document
    score: float
    rank: int
    """1 for the best."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """All candidates of a request, best first."""

    query: Query
    items: tuple[RankedDocument, ...]
    diagnostics: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_scores(cls, request: Request, answer: Scores | Sequence[float]) -> Ranking:
        """Sorts the candidates by score; ties go the way of trec_eval (see `trec_order`).

        Raises:
            ScoringError: not one finite number a candidate. Nothing is filled in, cut or skipped.
        """
        answer = checked_scores(request, answer)
        documents = {document.id: document for document in request.candidates}
        values = {document.id: value for document, value in zip(request.candidates, answer.values, strict=True)}
        items = tuple(
            RankedDocument(documents[id_], values[id_], rank) for rank, id_ in enumerate(trec_order(values), 1)
        )
        return cls(request.query, items, answer.diagnostics)

    @property
    def scores(self) -> dict[str, float]:
        """Document id → score, best first."""
        return {item.document.id: item.score for item in self.items}


def checked_scores(request: Request, answer: Scores | Sequence[float]) -> Scores:
    """The one gate between a scorer and everything that reads its scores.

    Raises:
        ScoringError: a wrong number of scores, a score that is no number, or one that is NaN or infinite.
    """
    values, diagnostics = (answer.values, answer.diagnostics) if isinstance(answer, Scores) else (answer, {})
    if not isinstance(diagnostics, Mapping):
        raise ScoringError(f"query {request.query.id!r}: diagnostics are {type(diagnostics).__name__}, not a mapping")
    names, numbers = list(diagnostics), _flat(request, list(diagnostics.values()))
    scores = Scores(_flat(request, values), dict(zip(names, numbers, strict=True)))
    if len(scores.values) != len(request.candidates):
        raise ScoringError(
            f"query {request.query.id!r}: {len(scores.values)} scores for {len(request.candidates)} candidates"
        )
    bad = sum(not math.isfinite(value) for value in scores.values)
    if bad:
        raise ScoringError(f"query {request.query.id!r}: {bad} of {len(scores.values)} scores are NaN or infinite")
    wrong = [name for name, value in scores.diagnostics.items() if not math.isfinite(value)]
    if wrong:
        raise ScoringError(f"query {request.query.id!r}: diagnostic {wrong[0]!r} is NaN or infinite")
    return scores


def _flat(request: Request, answer: object) -> tuple[float, ...]:
    what = f"query {request.query.id!r}: the scorer's answer is not a flat sequence of numbers"
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


def float32(value: float) -> float:
    """The value as trec_eval holds it; beyond the range of 32 bits, infinite."""
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def trec_order(scores: Mapping[str, float]) -> list[str]:
    """Document ids by descending score, equal scores by descending id: the order in which trec_eval reads a run.

    A rule that does not look at the input order, so that a constant scorer cannot profit from it.
    """
    return sorted(sorted(scores, reverse=True), key=lambda id_: -scores[id_])


@dataclass(frozen=True, slots=True)
class HardNegative:
    """A document that looks relevant to a query and is not; `types` say in what it differs (price, location …).

    `weight` multiplies its exponential in a contrastive loss; 1.0 is an ordinary negative.
    """

    document_id: str
    types: tuple[str, ...] = ()
    weight: float = 1.0


@dataclass(frozen=True)
class Dataset:
    """Documents, queries, judgements, splits and the frozen candidate list of every query.

    `candidates[q]` is in a seeded random order, the same for every reranker; `first_stage[q]` is parallel to it.
    `groups`: query id → group that must not straddle two splits (a query without one is its own group).
    `fingerprint` is a SHA-256 over all that is ranked and judged: equal fingerprints mean the very same evaluation.
    """

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

    def requests(self, split: str) -> list[Request]:
        """One request for every query of the split, in the split's order."""
        return [
            Request(
                self.queries[query_id],
                tuple(self.documents[id_] for id_ in self.candidates[query_id]),
                self.first_stage[query_id],
            )
            for query_id in self.splits[split]
        ]

    def relevant(self, query_id: str) -> set[str]:
        """The ids of the relevant documents that can be read. One that is blank or not in `documents` is judged
        relevant all the same: it stands in `qrels`, and counts as missed."""
        return {
            id_
            for id_, grade in self.qrels[query_id].items()
            if grade > 0 and id_ in self.documents and not self.documents[id_].blank
        }

    def recall_ceiling(self, split: str) -> float:
        """The mean share of relevant documents that are among the candidates: the best recall any reranker of
        this data set can reach."""
        shares = []
        for query_id in self.splits[split]:
            relevant = {id_ for id_, grade in self.qrels[query_id].items() if grade > 0}
            shares.append(len(relevant & set(self.candidates[query_id])) / len(relevant))
        return sum(shares) / len(shares)
