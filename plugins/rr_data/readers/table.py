"""Tables of any form: documents, queries and judgements, in files of their own or joined in one.

Each file is CSV, TSV, XLSX, Parquet, JSONL or a JSON list, as its first bytes say, packed or not. `documents`: a row a
document. `queries`: a row a query, which may name its relevant documents, too. `qrels`: a row a judgement. `rows`: a
row a query with a document of its, by id or by text, and its grade (1 where there is none). Files that are given by
split, or a column of splits, are the splits.

A document is named by its id or by its very text, in a cell also several by id (`separator`). Where the source gives
no ids, equal texts are one document, and in a split one query; their ids are `d1`, `q1` … in the order of the source.
Other columns of a query that hold texts, whole numbers or true and false may be what a table groups its queries by.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from rr import Document, Query, Settings
from rr.data import ById, Collection, Damage, Documents, Row
from rr_data.columns import COUNTED, SPLIT_NAMES, Role, must_be_somewhere, simple
from rr_data.facets import add_facets
from rr_data.formats import Layout, files_behind, form_of, head_of, rows_of
from rr_data.guess import tables_among
from rr_data.judgements import Judgements
from rr_data.named import References, id_in, same_text, text_in
from rr_data.sources import Files, Split, files_of
from rr_data.table_files import File, Kind, understood
from rr_data.tables import sniffed
from rr_data.texts import ByText, fresh

DOCUMENT: tuple[Role, ...] = ("document_id", "document")
USUAL = {".csv": ",", ".tsv": "\t"}


class Options(Settings):
    rows: Files | None = None
    """The joined file, or files, or those of each split: a query and a document a row."""
    documents: Files | None = None
    """A document a row."""
    queries: Files | None = None
    """A query a row; or the files of each split."""
    qrels: Files | None = None
    """A judgement a row; or the files of each split."""
    columns: dict[Role, str | tuple[str, ...] | None] = Field(default_factory=dict)
    """Role: column, or several, of which each file has one, or null. Others are guessed by the usual names."""
    separator: str | None = None
    """What stands between several ids in a cell: ","."""
    delimiter: str | None = Field(None, min_length=1, max_length=1)
    """What stands between cells: ",", ";", a tab, "|". Null: the first rows tell."""
    sheet: str | int = 1
    """Of a workbook: its name, or its number."""

    @model_validator(mode="after")
    def _is_whole(self) -> Options:
        if self.rows is None and (self.documents is None or self.queries is None):
            raise ValueError("give `rows`, or `documents` and `queries`")
        if isinstance(self.documents, dict):
            raise ValueError("`documents` have no splits; give a file, or a list of them")
        return self


class Table:
    Settings = Options
    general = True
    """Other readers know their own form better."""

    def __init__(self, settings: Options) -> None:
        self._options = settings

    @classmethod
    def recognise(cls, paths: Sequence[Path]) -> dict[str, Any] | None:
        """Options, if these files hold tables whose columns have usual names."""
        return tables_among(paths)

    def files(self) -> list[Path]:
        """All that `read` reads."""
        kinds = ("documents", "queries", "rows", "qrels")
        return [file for kind in kinds for _, path in self._named(kind) for file in files_behind(path)]

    def _named(self, kind: str) -> list[tuple[Split | None, Path]]:
        return files_of(getattr(self._options, kind))

    def read(self) -> Collection:
        """
        Raises:
            DataError: a file or a column is missing or malformed, an id comes twice with other texts, a text is blank,
                or a cell names no document: all such rows in one line.
        """
        files = self._files()
        reading = _Reading(self._options)
        for file in files:
            reading.file(file)
        return reading.collection(self._delimiter_notes(files))

    def _files(self) -> list[File]:
        layout = Layout(self._options.delimiter, self._options.sheet)
        kinds: tuple[Kind, ...] = ("documents", "queries", "rows", "qrels")
        heads = [(kind, split, path, head_of(path, layout)) for kind in kinds for split, path in self._named(kind)]
        must_be_somewhere(self._options.columns, {path: head.columns for _, _, path, head in heads})
        return [understood(*one, self._options.columns, {kind for kind, *_ in heads}) for one in heads]

    def _delimiter_notes(self, files: Sequence[File]) -> list[str]:
        if self._options.delimiter is not None:
            return []
        notes = []
        for path in dict.fromkeys(file.path for file in files):
            usual = next((USUAL[suffix] for suffix in path.suffixes if suffix in USUAL), None)
            if form_of(path) == "delimited" and (found := sniffed(path)[0]) != usual:
                notes.append(f"{path.name}: cells are taken to stand between {found!r}, as its first rows do")
        return notes


class _Reading:
    """What has been read of the files so far."""

    def __init__(self, options: Options) -> None:
        self._options, self._damage = options, Damage()
        self._layout = Layout(options.delimiter, options.sheet)
        self._documents, self._queries = Documents(), ById[Query]("query")
        self._judgements = Judgements(self._queries, self._documents)
        self._asked, self._named = References(self._queries, "query"), References(self._documents, "document")
        self._document_texts = ByText()
        self._query_texts: dict[str | None, ByText] = {}
        self._split_of: dict[str, str] = {}
        self._groups: dict[str, str] = {}
        self._facets: dict[str, dict[str, str]] = {}
        self._repeated = {"documents": 0, "queries": 0, "judgements": 0}

    def file(self, file: File) -> None:
        use = {"documents": self._document, "qrels": self._judgement}.get(file.kind, self._query)
        for row in rows_of(file.path, self._layout, self._damage):
            with self._damage.row():
                use(row, file)

    def collection(self, notes: Sequence[str]) -> Collection:
        splits: dict[str, list[str]] = {}
        for query_id, split in self._split_of.items():
            splits.setdefault(split, []).append(query_id)
        told = self._damage.told()
        merged = [f"{what} that come again, taken for one: {count}" for what, count in self._repeated.items() if count]
        return Collection(
            self._documents,
            self._queries,
            self._judgements.qrels,
            splits,
            self._groups,
            notes=(*told, *notes, *self._judgements.notes, *self._respelled(), *merged),
            facets=self._facets,
        )

    def _respelled(self) -> list[str]:
        found = [*self._asked.respelled, *self._named.respelled]
        what = "ids that are spelled otherwise than where they stand, taken for the same"
        return [f"{what}: {len(found)}, first {found[0]}"] if found else []

    # documents

    def _document(self, row: Row, file: File) -> None:
        text = _string(row, file.columns.get("document"))
        title = _string(row, file.columns.get("title"))
        if (column := file.columns.get("document_id")) is not None:
            id_ = id_in(row, column, row.fields.get(column))
            self._documents.add(id_, Document(id_, text, title), row)
        elif not text and not title:
            raise row.error(f"{file.columns.get('document', 'title')!r} is blank; fill it in or remove this row")
        else:
            known = len(self._documents)
            self._by_text(text or title, title if text else "", row)
            self._repeated["documents"] += len(self._documents) == known

    def _by_text(self, text: str, title: str, row: Row) -> str:
        """The id of the document with that text, which is added where there is none."""
        if (known := self._document_texts.find(text)) is not None:
            return known
        id_ = fresh("d", self._documents)
        self._documents.add(id_, Document(id_, text, title), row)
        self._document_texts.add(id_, text)
        return id_

    def _told_documents(self, row: Row, file: File) -> list[str]:
        """The documents that a row names, or brings."""
        id_column, text_column = file.columns.get("document_id"), file.columns.get("document")
        brings = self._options.documents is None and file.kind != "qrels"
        if text_column is None or (id_column is not None and not brings):
            column = id_column or ""
            if brings:
                raise row.error(f"{column!r} names documents by id, and no file holds any; give `documents`")
            return self._named.named(row, column, self._options.separator)
        if not brings:
            return self._named.named(row, text_column, self._options.separator)
        title = _string(row, file.columns.get("title"))
        if id_column is None:
            cell = row.fields.get(text_column)
            texts = [Row(row.file, row.at, {text_column: one}) for one in (cell if isinstance(cell, list) else [cell])]
            return [self._by_text(text, title, row) for text in [text_in(one, text_column) for one in texts]]
        id_, text = id_in(row, id_column, row.fields.get(id_column)), text_in(row, text_column)
        if id_ not in self._documents:
            self._documents.add(id_, Document(id_, text, title), row)
        elif not same_text(self._documents[id_].text, text):
            raise row.error(f"document {id_!r} has another text here than before; keep one of them")
        return [id_]

    # queries

    def _query(self, row: Row, file: File) -> None:
        columns = file.columns
        split = self._split(row, file)
        id_, text = self._who_asks(row, file, split)
        names = "document" in columns or "document_id" in columns
        grade = self._grade(row, file) if names else 1
        grouped = "group" in columns and row.fields.get(columns["group"]) not in (None, "")
        group = row.id(columns["group"]) if grouped else None
        none = names and [] in (row.fields.get(columns[role]) for role in DOCUMENT if role in columns)
        judged = self._told_documents(row, file) if names and not none else []
        if id_ not in self._queries:
            self._queries.add(id_, Query(id_, text), row)
            self._query_texts.setdefault(split, ByText()).add(id_, text)
            if split is not None:
                self._split_of[id_] = split
            if group is not None:
                self._groups[id_] = group
            others = {*columns.values(), *(key for key in row.fields if simple(key) in COUNTED)}
            add_facets(self._facets, id_, row.fields, others)
        elif not names:
            self._repeated["queries"] += 1
        if none:  # nothing answers it
            self._judgements.qrels.setdefault(id_, ById("judgement"))
        for document_id in judged:
            self._judge(row, id_, document_id, grade)

    def _who_asks(self, row: Row, file: File, split: str | None) -> tuple[str, str]:
        """Id and text of a row's query, which may have come before."""
        columns = file.columns
        if "query" not in columns:
            found = self._asked_by(row, columns["query_id"])
            if found is None:
                column = columns["query_id"]
                raise row.error(f"query {row.fields.get(column)!r} does not exist; give its text, or `queries`")
            return found, self._queries[found].text
        text = text_in(row, columns["query"])
        if "query_id" not in columns:
            known = self._query_texts.get(split, ByText()).find(text)
            return known or fresh("q", self._queries), text
        id_ = id_in(row, columns["query_id"], row.fields.get(columns["query_id"]))
        if id_ in self._queries and not same_text(self._queries[id_].text, text):
            raise row.error(f"query {id_!r} came already with another text; give each its own id")
        if id_ in self._queries and self._split_of.get(id_) != split:
            raise row.error(f"query {id_!r} stands in split {self._split_of.get(id_)!r} already; keep it in one")
        return id_, text

    def _asked_by(self, row: Row, column: str) -> str | None:
        value = row.fields.get(column)
        id_in(row, column, value)  # only for what it refuses
        return self._asked.known_as(row, value)

    def _split(self, row: Row, file: File) -> str | None:
        if file.split is not None or "split" not in file.columns:
            return file.split
        spelled = text_in(row, file.columns["split"])
        if spelled.lower() not in SPLIT_NAMES:
            raise row.error(f"{file.columns['split']!r} is {spelled[:40]!r}; write train, dev or test")
        return SPLIT_NAMES[spelled.lower()]

    # judgements

    def _judgement(self, row: Row, file: File) -> None:
        columns, grade = file.columns, self._grade(row, file)
        column = columns.get("query_id") or columns["query"]
        query_id = self._asked_by(row, column)
        split = self._split(row, file)
        if query_id is not None and split is not None and self._split_of.setdefault(query_id, split) != split:
            raise row.error(f"query {query_id!r} stands in split {self._split_of[query_id]!r} already; keep it in one")
        for document_id in self._told_documents(row, file):
            self._judge(row, query_id or id_in(row, column, row.fields.get(column)), document_id, grade)

    def _grade(self, row: Row, file: File) -> int:
        column = file.columns.get("grade")
        if column is None:
            return 1
        value = row.fields.get(column)
        if value is None or value == "":
            raise row.error(f"{column!r} is blank; write a grade, 0 for what is not relevant")
        return int(value) if isinstance(value, bool) else row.integer(column)

    def _judge(self, row: Row, query_id: str, document_id: str, grade: int) -> None:
        before = self._judgements.qrels.get(query_id)
        if before is not None and before.get(document_id) == grade:
            self._repeated["judgements"] += 1
            return
        judged = Row(row.file, row.at, {"query": query_id, "document": document_id})
        self._judgements.add(judged, "query", "document", grade)


def _string(row: Row, column: str | None) -> str:
    """Text that may be blank; nothing where there is no such column."""
    value = None if column is None else row.fields.get(column)
    if column is None or value is None or (isinstance(value, str) and not value.strip()):
        return ""
    return text_in(row, column)
