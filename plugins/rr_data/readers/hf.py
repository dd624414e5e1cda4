"""Hugging Face datasets from disk: documents, queries and judgements, as `save_to_disk` or the Hub has them.

Each of `documents`, `queries` and `qrels` is a folder that `save_to_disk` wrote (a DatasetDict or a Dataset), or a
Parquet or Arrow file, or a folder of such. `folder` is one that holds them as corpus (or documents), queries, and
qrels (or default), as MTEB's data sets do. The splits of qrels (train, validation or dev, test; a file's name may say
it) are the splits; documents and queries are those of all splits.

`columns` names the column of a role where it has none of the usual names: document_id, document, title of documents;
query_id, query of queries; query_id, document_id, grade of qrels (grade 1 where there is none). Nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from rr import DataError, Document, Query, Settings
from rr.data import ById, Collection, Damage, DataPath, Documents, Row
from rr_data.judgements import Judgements
from rr_data.qrels import NAMES
from rr_data.saved import SPLITS, all_files, is_rows, parts

Role = Literal["query", "query_id", "document", "document_id", "title", "grade"]
Kind = Literal["documents", "queries", "qrels"]
PLACES: Mapping[Kind, tuple[str, ...]] = {
    "documents": ("corpus", "documents", "docs"),
    "queries": ("queries", "topics"),
    "qrels": ("qrels", "default", "judgements", "data"),
}
USUAL: Mapping[Kind, Mapping[Role, tuple[str, ...]]] = {
    "documents": {
        "document_id": ("_id", "id", "doc_id", "docid", "docno", "document_id", "corpus-id", "corpus_id", "pid"),
        "document": ("text", "contents", "content", "document", "passage", "context", "body"),
        "title": ("title",),
    },
    "queries": {
        "query_id": ("_id", "id", "query_id", "query-id", "qid", "question_id"),
        "query": ("text", "query", "question"),
    },
    "qrels": {"query_id": NAMES["query"], "document_id": NAMES["document"], "grade": NAMES["grade"]},
}
OPTIONAL = ("title", "grade")


class Options(Settings):
    folder: DataPath | None = None
    """Holds corpus, queries and qrels."""
    documents: DataPath | None = None
    """Where they do not lie in `folder`."""
    queries: DataPath | None = None
    """Likewise."""
    qrels: DataPath | None = None
    """Likewise."""
    columns: dict[Role, str] = Field(default_factory=dict)
    """Role: column."""
    test_split: str = "test"
    """The split of qrels that is tested on: validation, where test is not public."""

    @model_validator(mode="after")
    def _has_all(self) -> Options:
        if self.folder is None and None in (self.documents, self.queries, self.qrels):
            raise ValueError("give folder, or documents, queries and qrels")
        return self


class HuggingFace:
    Settings = Options

    def __init__(self, settings: Options) -> None:
        self._options = settings

    @classmethod
    def recognise(cls, paths: Sequence[Path]) -> dict[str, Any] | None:
        """Its options, if it is asked of one folder that holds all three."""
        if len(paths) != 1 or not paths[0].is_dir():
            return None
        found = [any(is_rows(paths[0] / name) for name in names) for names in PLACES.values()]
        return {"folder": str(paths[0])} if all(found) else None

    def files(self) -> list[Path]:
        """All that `read` reads."""
        places = [self._place(kind) for kind in PLACES]
        return [file for place in places for file in (all_files(place) if place.exists() else [place])]

    def read(self) -> Collection:
        """
        Raises:
            DataError: a file or a column is missing, an id or a judgement comes twice, a query is blank, or there are
                no judgements of the split to test on.
        """
        damage = Damage()
        documents = Documents()
        for _, row in self._rows("documents", damage):
            with damage.row():
                id_ = row.id("document_id")
                documents.add(id_, Document(id_, row.string("document", ""), row.string("title", "")), row)
        queries: ById[Query] = ById("query")
        for _, row in self._rows("queries", damage):
            with damage.row():
                queries.add(row.id("query_id"), Query(row.id("query_id"), row.text("query")), row)

        judgements = Judgements(queries, documents)
        splits: dict[str, dict[str, None]] = {}
        for name, row in self._rows("qrels", damage):
            with damage.row():
                grade = row.integer("grade") if row.fields.get("grade") is not None else 1
                query_id = judgements.add(row, "query_id", "document_id", grade)
                if query_id is not None:
                    splits.setdefault(name, {})[query_id] = None
        told = damage.told()
        judgements.must_be_of(self._place("queries"))
        asked = judgements.asked()
        return Collection(
            documents,
            asked,
            judgements.qrels,
            self._splits({name: list(ids) for name, ids in splits.items()}),
            notes=(*told, *judgements.notes),
        )

    def _splits(self, found: dict[str, list[str]]) -> dict[str, list[str]]:
        """Those that the names say; none where there are no names."""
        if [*found] == [""]:
            return {}
        tested = self._options.test_split
        if tested not in found:
            there = ", ".join(found)
            raise DataError(f"{self._place('qrels')}: no split {tested!r} to test on, only {there}; set `test_split`")
        splits = {"test": found.pop(tested)}
        # another split called test is not read where one is named
        splits |= {SPLITS[name]: ids for name, ids in found.items() if SPLITS.get(name, "test") != "test"}
        return {name: ids for name, ids in splits.items() if name == "test" or tested == "test" or name == "train"}

    def _place(self, kind: Kind) -> Path:
        given: Path | None = getattr(self._options, kind)
        if given is not None:
            return given
        folder = self._options.folder
        assert folder is not None
        there = [folder / name for name in PLACES[kind] if is_rows(folder / name)]
        return there[0] if there else folder / PLACES[kind][0]

    def _rows(self, kind: Kind, damage: Damage) -> Iterator[tuple[str, Row]]:
        """Split, and a row whose keys are roles."""
        for name, rows in parts(self._place(kind)):
            for row in rows():
                with damage.row():
                    fields: dict[str, Any] = {}
                    for role, usual in USUAL[kind].items():
                        named = self._options.columns.get(role)
                        names = (named,) if named is not None else usual
                        if role in OPTIONAL and named is None and not set(names) & set(row.fields):
                            continue
                        fields[role] = row.value(row.either(*names))
                    yield name, Row(row.file, row.at, fields)
