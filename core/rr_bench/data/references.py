"""Whether all that a collection names is there: what is not, is told in one line, or left out and counted (`missing:`).
What only looks odd is counted in `damage`."""

from __future__ import annotations

from collections.abc import Collection as Ids
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rr.data import Damage
from rr.data.collection import SPLITS, Collection
from rr.data.damage import MISSING
from rr.errors import DataError
from rr.types import HardNegative, Query
from rr_bench.data.unfilled import without_texts

LATER = tuple(reversed(SPLITS))
"""A query of two splits stays in the one that is measured on: it is in test before dev, and in dev before train."""


def consistent(collection: Collection) -> Collection:
    """The collection, of which every name means something. Judged documents alone may be absent: they count as missed,
    or are left out where the entry says `missing: skip`. A query of two splits stays in the later one, which is noted.

    Raises:
        DataError: a judgement, run line, hard negative, history or split names what does not exist, or a hard negative
            comes twice, and the entry does not say `missing: skip`; or no relevant document exists.
    """
    documents, queries = collection.documents, collection.queries
    damage = Damage()

    def names(query_id: str, document_ids: Ids[str], what: str) -> None:
        if query_id not in queries:
            _note(damage, f"a {what} names query {query_id!r}, which does not exist")
            return
        for id_ in document_ids:
            if id_ not in documents:
                _note(damage, f"a {what} of query {query_id!r} names document {id_!r}, which does not exist")

    for query_id in collection.qrels:
        names(query_id, (), "judgement")
    for query_id, negatives in collection.hard_negatives.items():
        ids = [negative.document_id for negative in negatives]
        names(query_id, ids, "hard negative")
        if len(set(ids)) != len(ids):
            _note(damage, f"query {query_id!r} names a document twice in its hard negatives")
    for query_id, scores in collection.run.items():
        names(query_id, scores, "run line")
    for query in queries.values():
        if query.history:
            names(query.id, [document.id for document in query.history], "history")
    for split, query_ids in collection.splits.items():
        for query_id in query_ids:
            if query_id not in queries:
                _note(damage, f"split {split!r} names query {query_id!r}, which does not exist")
    notes = damage.told()
    if notes:
        collection = _without_unknown(collection)
    relevant = [id_ for judged in collection.qrels.values() for id_, grade in judged.items() if grade > 0]
    if relevant and not any(id_ in documents for id_ in relevant):
        raise DataError(f"none of the {len(relevant)} documents judged relevant exists, first {relevant[0]!r}")
    splits, told = apart(collection.splits)
    collection, absent = _without_absent_documents(collection)
    collection, blank = _without_blank_queries(collection)
    found = (*notes, *told, *absent, *blank)
    if not found:
        return collection
    left = {split: [q for q in ids if q in collection.queries] for split, ids in splits.items()}
    return replace(collection, splits=left, notes=(*collection.notes, *found))


def apart(splits: Mapping[str, Sequence[str]]) -> tuple[dict[str, list[str]], list[str]]:
    """The splits with each query once, in the latest that names it, and notes on those that were named again."""
    place: dict[str, str] = {}
    again: dict[tuple[str, str], list[str]] = {}
    for split in (one for one in LATER if one in splits):
        for query_id in splits[split]:
            if query_id in place:
                again.setdefault((split, place[query_id]), []).append(query_id)
            place.setdefault(query_id, split)
    notes = [
        f"{len(ids)} queries are named twice in split {split}, and taken once: {some(ids)}"
        if split == other
        else f"{len(ids)} {split} queries that {other} names too, by the same id, left out of {split}: {some(ids)}"
        for (split, other), ids in again.items()
    ]
    kept = {split: [q for q in dict.fromkeys(ids) if place[q] == split] for split, ids in splits.items()}
    return kept, notes


def some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:5]) + (", …" if len(ids) > 5 else "")


def _note(damage: Damage, problem: str) -> None:
    with damage.row():
        raise DataError(problem)


def _without_absent_documents(collection: Collection) -> tuple[Collection, list[str]]:
    """Without judgements of documents that are not there, where the entry says so, as in a published part of a corpus;
    a query that nothing relevant is left to is judged no more, for that does not say that it has no answer."""
    documents, qrels = collection.documents, collection.qrels
    absent = [(q, id_) for q, judged in qrels.items() for id_ in judged if id_ not in documents]
    if MISSING.get() == "fail" or not absent:
        return collection, []
    left = {q: {id_: grade for id_, grade in judged.items() if id_ in documents} for q, judged in qrels.items()}
    gone = [q for q, judged in qrels.items() if _answered(judged) and not _answered(left[q])]
    dropped, (query_id, id_) = set(gone), absent[0]
    told = (
        f"{len(absent)} judgements of documents that are not in the corpus, first {id_!r} of {query_id!r}; left out, "
        f"as the entry's `missing: skip` says, so that they do not count as missed, and with them {len(gone)} queries"
    )
    return replace(collection, qrels={q: judged for q, judged in left.items() if q not in dropped}), [told]


def _answered(judged: Mapping[str, int]) -> bool:
    return any(grade > 0 for grade in judged.values())


def _without_blank_queries(collection: Collection) -> tuple[Collection, list[str]]:
    """Of queries without a text or a history nothing can be found: they are kept, or left out, and counted."""
    blank = [query.id for query in collection.queries.values() if not query.text.strip() and not query.history]
    if not blank:
        return collection, []
    told = f"{len(blank)} queries have no text, first {blank[0]!r}"
    if MISSING.get() == "skip":
        return without_texts(collection, (), set(blank)), [f"{told}; left out, as the entry's `missing: skip` says"]
    return collection, [f"{told}; kept"]


def _without_unknown(collection: Collection) -> Collection:
    documents, queries = collection.documents, collection.queries

    def met(query: Query) -> Query:
        return replace(query, history=tuple(one for one in query.history if one.id in documents))

    def once(negatives: Sequence[HardNegative]) -> list[HardNegative]:
        first = {one.document_id: one for one in reversed(negatives)}
        return [one for one in negatives if one.document_id in documents and first[one.document_id] is one]

    return replace(
        collection,
        queries={id_: met(query) if query.history else query for id_, query in queries.items()},
        qrels={q: judged for q, judged in collection.qrels.items() if q in queries},
        hard_negatives={q: once(negatives) for q, negatives in collection.hard_negatives.items() if q in queries},
        run={
            q: {id_: score for id_, score in scores.items() if id_ in documents}
            for q, scores in collection.run.items()
            if q in queries
        },
        splits={split: [q for q in ids if q in queries] for split, ids in collection.splits.items()},
    )
