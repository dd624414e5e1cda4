"""Judgements as the rows of a file give them, whatever the format of the file."""

from __future__ import annotations

from pathlib import Path

from rr import DataError, Document, Query
from rr.data import ById, Documents, Row

GRADES = range(-(2**31), 2**31)
"""What trec_eval can hold."""


class Judgements:
    """Query → document → grade. What is judged stands: a document that the corpus lacks is still one to be found, and
    counts as missed. A query that does not exist cannot be asked: its judgements are left out and counted."""

    def __init__(self, queries: ById[Query], documents: ById[Document] | Documents, kind: str = "query") -> None:
        self.qrels: dict[str, ById[int]] = {}
        self._queries, self._documents, self._kind = queries, documents, kind
        self._without_query: list[str] = []
        self._respelled: list[str] = []
        self._again: list[str] = []
        self._unjudged = 0

    def add(self, row: Row, query_key: str, document_key: str, grade: int) -> str | None:
        """The id of the query, None where it does not exist.

        Raises:
            DataError: an id is blank, the grade is out of range, or the judgement came already with another grade.
        """
        given_query, given_document = row.id(query_key), row.id(document_key)
        if grade not in GRADES:
            raise row.error("the grade does not fit into 32 bits; write a smaller one")
        query_id = self._queries.find(given_query)
        if query_id is None:
            self._without_query.append(f"{row.at}, {self._kind} {given_query!r}")
            return None
        document_id = self._documents.find(given_document) or given_document
        for given, known in ((given_query, query_id), (given_document, document_id)):
            if given != known:
                self._respelled.append(f"{row.at}, {given!a} for {known!a}")
        judged = self.qrels.setdefault(query_id, ById(f"the judgement of {self._kind} {query_id!r} for document"))
        if judged.get(document_id) == grade:
            self._again.append(f"{row.at}, {given_document!r} of {given_query!r}")
        else:
            judged.add(document_id, grade, row)
        return query_id

    def must_be_of(self, queries: Path) -> None:
        """
        Raises:
            DataError: there are judgements, and none is of a query of that file.
        """
        if self._without_query and not self.qrels:
            first = self._without_query[0]
            raise DataError(
                f"{queries}: none of {len(self._without_query)} judgements is of one of its {len(self._queries)} "
                f"queries, first {first}; give the judgements of these queries, their columns in order"
            )

    def asked(self) -> dict[str, Query]:
        """The queries that something judges; the others are counted in `notes`, asked for afterwards."""
        asked = {query_id: query for query_id, query in self._queries.items() if query_id in self.qrels}
        self._unjudged = len(self._queries) - len(asked)
        return asked

    @property
    def notes(self) -> tuple[str, ...]:
        unjudged = (f"queries that nothing judges, left out: {self._unjudged}",) if self._unjudged else ()
        counted = {
            f"judgements of a {self._kind} that does not exist, left out": self._without_query,
            "ids of judgements that are spelled otherwise than where they stand, taken for the same": self._respelled,
            "judgements that come again, alike": self._again,
        }
        told = (f"{what}: {len(places)}, first {places[0]}" for what, places in counted.items() if places)
        return (*told, *unjudged)
