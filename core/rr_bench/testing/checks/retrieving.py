"""What a first stage finds."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from rr.errors import DataError, PluginError, summary
from rr.protocols import Corpus, Searches
from rr.types import Document, Query, float32
from rr_bench.border.untouched import unchanged
from rr_bench.data.gate import checked_first_stage
from rr_bench.testing.check import BrokenRuleError, check_of
from rr_bench.testing.examples import small
from rr_bench.testing.process import other_chance
from rr_bench.testing.subject import Subject

ODD = {
    "words that no document has": "xyzzy plugh qwertzuiop",
    "an empty text": "",
    "blanks": " \t\n",
    "signs without words": "?!…",
    "10,000 words": "lamp " * 10_000,
}
CLOSE = 1e-5
"""How far sums in another order may carry a score, as a share of it."""
FIT = "fit(corpus)"


def _corpus(documents: Sequence[Document] = (), train: bool = True) -> Corpus:
    """The examples: 80 documents, 24 train queries (every third with a history), and a run."""
    data = small()
    asked = [(data.queries[q], tuple(data.qrels[q])) for q in data.splits["train"]] if train else []
    run = {q: dict(zip(found, data.first_stage[q], strict=True)) for q, found in data.candidates.items()}
    return Corpus(tuple(documents or data.documents.values()), tuple(asked), run)


def _queries() -> list[Query]:
    """Dev queries of the examples; one has a history, and one of these lies outside of the corpus."""
    data = small()
    known = list(data.documents.values())
    unknown = Document("nowhere", "A document that the corpus has not")
    asked = [data.queries[q] for q in data.splits["dev"]]
    return [*asked, Query("with a stranger", "Who sells a red lamp?", (known[7], unknown, known[14]))]


def _fitted(subject: Subject, corpus: Corpus | None = None) -> Any:
    retriever = subject.load()
    retriever.fit(_corpus() if corpus is None else corpus)
    return retriever


def _scores(subject: Subject, retriever: Any, query: Query) -> dict[str, float] | None:
    """Through the gate of a bench; None where it says that it has no answer to such a query. Raises what it raises."""
    try:
        given = retriever.scores(query)
    except DataError:
        return None
    return checked_first_stage(given, small().documents, f"retriever {subject.name!r}")


@check_of("retriever")
def check_retriever_changes_nothing(subject: Subject) -> None:
    """Neither the corpus nor a query: both are others', too. It is the first that is asked, since the examples are
    shared; what breaks is for the others to tell."""
    corpus, queries = _corpus(), _queries()
    shown = [corpus, *corpus.documents, *(query for query, _ in corpus.train), *queries]
    try:
        with unchanged(shown), suppress(Exception):
            retriever = _fitted(subject, corpus)
            for query in queries:
                retriever.scores(query)
    except PluginError as error:
        raise BrokenRuleError("corpus and queries stay as they were", str(error), FIT) from error


@check_of("retriever")
def check_retriever_finds(subject: Subject) -> None:
    """Fitted on a corpus, it gives finite scores for documents of the corpus, and finds something."""
    try:
        retriever = _fitted(subject)
    except Exception as error:
        raise BrokenRuleError("it is fitted on documents, train queries and a run", summary(error), FIT) from error
    found = 0
    for query in _queries():
        try:
            found += len(_scores(subject, retriever, query) or ())
        except Exception as error:
            asked = f"scores(Query({query.id!r}, {query.text!r}))"
            raise BrokenRuleError("finite scores by ids of the corpus", summary(error), asked) from error
    if not found:
        raise BrokenRuleError("something is found", f"nothing, for {len(_queries())} queries", "scores(query)")


@check_of("retriever")
def check_retriever_finds_the_same_twice(subject: Subject) -> None:
    """The same query has the same scores: asked twice, of another one, and whatever state random generators are in."""
    one = _fitted(subject)
    with other_chance(1):
        other = _fitted(subject)
    for query in _queries():
        first = _scores(subject, one, query)
        for what, scores in (("asked twice", _scores(subject, one, query)), ("of two", _scores(subject, other, query))):
            if scores != first:
                raise BrokenRuleError("the same scores for the same query", what, f"query {query.id!r}")


@check_of("retriever")
def check_retriever_ignores_the_order(subject: Subject) -> None:
    """In whatever order documents are indexed and queries asked, scores are the same but for rounding."""
    documents = list(small().documents.values())
    random.Random(3).shuffle(documents)
    one, other = _fitted(subject), _fitted(subject, _corpus(documents))
    before = {query.id: _scores(subject, one, query) for query in _queries()}
    for query in reversed(_queries()):
        if not _close(before[query.id], _scores(subject, other, query)):
            found = _first(before[query.id], _scores(subject, other, query))
            raise BrokenRuleError("scores that do not depend on an order", found, f"query {query.id!r}")


@check_of("retriever")
def check_retriever_says_whether_it_learns(subject: Subject) -> None:
    """`learns` says whether `fit` looks at `corpus.train`: only one that does not serves all folds."""
    retriever = subject.load()
    learns = getattr(retriever, "learns", None)
    if not isinstance(learns, bool):
        raise BrokenRuleError("'learns' is True or False", repr(learns), "learns")
    taught = _fitted(subject)
    try:
        bare = _fitted(subject, _corpus(train=False))
    except DataError as error:
        if not learns:
            raise BrokenRuleError("one that does not learn needs no train queries", str(error), "learns") from error
        return
    looks = not all(_close(_scores(subject, taught, query), _scores(subject, bare, query)) for query in _queries())
    if looks != learns:
        found = "its scores change with them" if looks else "its scores are the same without them"
        raise BrokenRuleError("'learns' tells whether it looks at corpus.train", f"{learns}, and {found}", "learns")


@check_of("retriever")
def check_retriever_takes_any_query(subject: Subject) -> None:
    """Words that nobody has written, no words at all, far too many: something is found or nothing, and nothing breaks.
    One that needs a history says so with a DataError."""
    retriever = _fitted(subject)
    history = tuple(list(small().documents.values())[:2])
    for what, text in ODD.items():
        for query in (Query("odd", text), Query("odd, with a history", text, history)):
            try:
                _scores(subject, retriever, query)
            except Exception as error:
                raise BrokenRuleError("any query is answered", summary(error), f"a query of {what}") from error


@check_of("retriever")
def check_retriever_searches_as_it_scores(subject: Subject) -> None:
    """One that searches gives each query, in their order, the scores that `scores` has for it: of the best `depth` at
    the least, and of all that tie with the last of these."""
    retriever = _fitted(subject)
    if not isinstance(retriever, Searches):
        return
    queries = _queries()
    for depth in (1, 5, 1000):
        asked = f"search(queries, {depth})"
        try:
            answers = [checked_first_stage(one, small().documents, asked) for one in retriever.search(queries, depth)]
        except DataError:
            return
        except Exception as error:
            raise BrokenRuleError("an answer for each query", summary(error), asked) from error
        if len(answers) != len(queries):
            raise BrokenRuleError(f"{len(queries)} answers", str(len(answers)), asked)
        for query, found in zip(queries, answers, strict=True):
            scores = _scores(subject, retriever, query) or {}
            held = dict(zip(scores, float32(scores.values()), strict=True))
            floor = min(sorted(held.values(), reverse=True)[:depth], default=math.inf)
            same = {id_: scores.get(id_, math.nan) for id_ in found}
            if missed := [id_ for id_ in held if held[id_] >= floor and id_ not in found]:
                raise BrokenRuleError("the best and their ties", f"query {query.id!r} without {missed[0]!r}", asked)
            if not _close(found, same):
                raise BrokenRuleError("the scores of `scores`", f"query {query.id!r}: {_first(found, same)}", asked)


def _close(first: Mapping[str, float] | None, other: Mapping[str, float] | None) -> bool:
    if first is None or other is None:
        return first is other
    return first.keys() == other.keys() and all(
        math.isclose(score, other[id_], rel_tol=CLOSE, abs_tol=CLOSE) for id_, score in first.items()
    )


def _first(first: Mapping[str, float] | None, other: Mapping[str, float] | None) -> str:
    if first is None or other is None:
        return "one of them has no answer"
    id_ = next(id_ for id_ in (*first, *other) if not _close({id_: first.get(id_, math.nan)}, {id_: other.get(id_, 0)}))
    return f"document {id_!r}: {first.get(id_)} and {other.get(id_)}"
