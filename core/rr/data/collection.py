"""What every reader returns: documents, queries and judgements, before splits and candidates are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rr.errors import DataError, nearest
from rr.registry.expansion import as_written
from rr.types import Document, HardNegative, Qrels, Query, Run

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class Collection:
    """One source, read. `splits`: given by the source, or empty where they are to be drawn. `groups`: query id →
    group that must not straddle two splits (a query without one is its own group). `run`: a first stage that the
    source brings along. `notes`: what was repaired or left out, in words a user can act on.

    A judgement may name a document that is not there: it counts as missed (`rr_bench.data.prepare` says how many do).

    Raises:
        DataError: there are no documents or no queries; a judgement or a split names a query, a history or a hard
            negative a document, that does not exist; of the documents judged relevant none exists; a query stands in
            two splits or twice in one; or a split is not train, dev or test.
    """

    documents: Mapping[str, Document]
    queries: Mapping[str, Query]
    qrels: Qrels
    splits: Mapping[str, Sequence[str]] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    hard_negatives: Mapping[str, Sequence[HardNegative]] = field(default_factory=dict)
    run: Run = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "notes", tuple(map(as_written, self.notes)))
        if not self.documents:
            raise DataError("the source holds no documents")
        if not self.queries:
            raise DataError("the source holds no queries")
        for query_id in self.qrels:
            self._known(query_id, (), "judgement")
        relevant = [id_ for judged in self.qrels.values() for id_, grade in judged.items() if grade > 0]
        if relevant and not any(id_ in self.documents for id_ in relevant):
            raise DataError(f"none of the {len(relevant)} documents judged relevant exists, first {relevant[0]!r}")
        for query_id, negatives in self.hard_negatives.items():
            self._known(query_id, [negative.document_id for negative in negatives], "hard negative")
        for query_id, scores in self.run.items():
            self._known(query_id, scores, "run line")
        for query in self.queries.values():
            if query.history:
                self._known(query.id, [document.id for document in query.history], "history")
        split_of: dict[str, str] = {}
        for split, query_ids in self.splits.items():
            if split not in SPLITS:
                raise DataError(f"split {split!r} is none of {', '.join(SPLITS)}{nearest(split, list(SPLITS))}")
            for query_id in query_ids:
                if query_id not in self.queries:
                    raise DataError(f"split {split!r} names query {query_id!r}, which does not exist")
                if query_id in split_of:
                    raise DataError(f"query {query_id!r} stands in split {split_of[query_id]!r} and in {split!r}")
                split_of[query_id] = split

    def _known(self, query_id: str, document_ids: Sequence[str] | Mapping[str, object], what: str) -> None:
        if query_id not in self.queries:
            raise DataError(f"a {what} names query {query_id!r}, which does not exist")
        if len(set(document_ids)) != len(document_ids) and what != "history":
            raise DataError(f"query {query_id!r} names a document twice in its {what}s")
        for id_ in document_ids:
            if id_ not in self.documents:
                raise DataError(f"a {what} of query {query_id!r} names document {id_!r}, which does not exist")
