"""The project's own plain format: three JSONL files.

documents: `{id, text, title?}` a line, and any other keys, one of which `text` may name, to be shown in the
place of the title. queries: `{id, text, split?, history?, group?, relevant?}` a line, where `split` is train,
dev or test (for all queries or for none), `history` is a list of document ids, oldest first, and queries of the
same `group` stay in one split; any other key that holds a text, a whole number or true or false may be what a table
groups its queries by (`group_by`). qrels: `{query, document, grade?}` a line, grade a whole number (above 0 is
relevant; 1 where there is none).

`relevant`: a list of document ids, each a judgement of grade 1, besides those of qrels. `[]` says that nothing answers
the query, as do judgements of grade 0 alone; a query that nothing judges is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rr import Document, Query, Settings, nearest
from rr.data import SPLITS, ById, Collection, Damage, DataPath, Documents, Row, read_jsonl
from rr_data.facets import add_facets
from rr_data.formats import form_of
from rr_data.guess import QUERIES, looked_at
from rr_data.item_texts import TITLE, ItemTexts
from rr_data.judgements import Judgements

KEYS = ("id", "text", "split", "history", "group", "relevant")
"""That mean something else."""


class Options(Settings):
    documents: DataPath
    """JSONL of {id, text, title?}."""
    queries: DataPath
    """JSONL of {id, text, split?, history?, group?, relevant?}, and fields to group_by."""
    qrels: DataPath
    """JSONL of {query, document, grade?}."""
    text: str = TITLE
    """Key that documents are shown by in lists: title, caption, semantic_summary …."""


class Jsonl:
    Settings = Options

    def __init__(self, settings: Options) -> None:
        self._options = settings

    @classmethod
    def recognise(cls, paths: Sequence[Path]) -> dict[str, Any] | None:
        """Options, if these are three JSONL files of this form."""
        looks = looked_at(paths)
        if looks is None or len(looks) != 3:
            return None
        qrels = [look for look in looks if {"query", "document"} <= {*look.columns}]
        texts = [look for look in looks if {"id", "text"} <= {*look.columns}]
        own = {"split", "history", "relevant"}
        queries = [look for look in texts if look.is_called(QUERIES) or not own.isdisjoint(look.columns)]
        documents = [look for look in texts if look not in queries]
        if not len(qrels) == len(queries) == len(documents) == 1:
            return None
        if any(form_of(look.path) != "jsonl" for look in looks):
            return None
        return {"documents": str(documents[0].path), "queries": str(queries[0].path), "qrels": str(qrels[0].path)}

    def files(self) -> list[Path]:
        """All that `read` reads."""
        return [self._options.documents, self._options.queries, self._options.qrels]

    def read(self) -> Collection:
        """
        Raises:
            DataError: a file or a key is missing, an id or a judgement comes twice, a history names an id that does not
                exist, a query is blank, or a split is unknown or given for some queries only: all rows in one line.
        """
        damage, shown = Damage(), ItemTexts(self._options.text)
        documents = Documents()
        for row in shown.must_be_in(read_jsonl(self._options.documents, damage), self._options.documents):
            with damage.row():
                id_, text = row.id("id"), row.string("text")
                documents.add(id_, Document(id_, text, shown.title(id_, row, row.string("title", ""), text)), row)

        queries: ById[Query] = ById("query")
        groups: dict[str, str] = {}
        splits: dict[str, list[str]] = {}
        facets: dict[str, dict[str, str]] = {}
        rows = list(read_jsonl(self._options.queries, damage))
        has_splits = any("split" in row.fields for row in rows)
        asked: list[Row] = []
        for row in rows:
            with damage.row():
                id_, history, relevant = row.id("id"), _history(row, documents), _ids(row, "relevant")
                split = _split(row) if has_splits else None
                group = row.id("group") if "group" in row.fields else None
                queries.add(id_, Query(id_, row.text("text"), history), row)
                named = {"id": id_, "relevant": relevant if "relevant" in row.fields else None}
                asked.append(Row(row.file, row.at, named))
                if group is not None:
                    groups[id_] = group
                add_facets(facets, id_, row.fields, KEYS)
                if split is not None:
                    splits.setdefault(split, []).append(id_)

        judgements = Judgements(queries, documents)
        for row in asked:
            for one in row.fields["relevant"] or ():
                with damage.row():
                    judgements.add(Row(row.file, row.at, row.fields | {"relevant": one}), "id", "relevant", 1)
        for row in read_jsonl(self._options.qrels, damage):
            with damage.row():
                judgements.add(row, "query", "document", row.integer("grade") if "grade" in row.fields else 1)
        for row in asked:
            if row.fields["relevant"] == []:
                with damage.row():
                    judged = judgements.qrels.setdefault(row.fields["id"], ById("judgement"))
                    if any(grade > 0 for grade in judged.values()):
                        raise row.error("'relevant' is [], and qrels judge a document relevant; correct one of them")
        notes = (*damage.told(), *judgements.notes, *shown.notes(documents))
        return Collection(documents, queries, judgements.qrels, splits, groups, notes=notes, facets=facets)


def _history(row: Row, documents: Documents) -> tuple[Document, ...]:
    # Each id as a row of its own, so that it is checked, and complained about, like any other.
    entries = [Row(row.file, row.at, {"history": id_}) for id_ in _ids(row, "history")]
    return tuple(documents[entry.reference("history", documents, "document")] for entry in entries)


def _ids(row: Row, key: str) -> list[object]:
    ids = row.fields.get(key, [])
    if not isinstance(ids, list):
        raise row.error(f"{key!r} must be a list of document ids, not {type(ids).__name__}")
    return ids


def _split(row: Row) -> str:
    split = row.text("split")
    if split not in SPLITS:
        raise row.error(f"unknown split {split!r}{nearest(split, list(SPLITS))}")
    return split
