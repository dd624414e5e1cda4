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

from pathlib import Path

from rr import Document, Query, Settings, nearest
from rr.data import SPLITS, ById, Collection, DataPath, Row, read_jsonl
from rr_data.facets import add_facets
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

    def files(self) -> list[Path]:
        """All that `read` reads."""
        return [self._options.documents, self._options.queries, self._options.qrels]

    def read(self) -> Collection:
        """
        Raises:
            DataError: a file or a key is missing, an id or a judgement comes twice, a history names an id that does not
                exist, a query is blank, or a split is unknown or given for some queries only.
        """
        documents: ById[Document] = ById("document")
        items, shown = list(read_jsonl(self._options.documents)), ItemTexts(self._options.text)
        shown.must_be_in(items)
        for row in items:
            id_, text = row.id("id"), row.string("text")
            documents.add(id_, Document(id_, text, shown.title(id_, row, row.string("title", ""), text)), row)

        queries: ById[Query] = ById("query")
        groups: dict[str, str] = {}
        splits: dict[str, list[str]] = {}
        facets: dict[str, dict[str, str]] = {}
        rows = list(read_jsonl(self._options.queries))
        has_splits = any("split" in row.fields for row in rows)
        for row in rows:
            id_ = row.id("id")
            queries.add(id_, Query(id_, row.text("text"), _history(row, documents)), row)
            if "group" in row.fields:
                groups[id_] = row.id("group")
            add_facets(facets, id_, row.fields, KEYS)
            if has_splits:
                splits.setdefault(_split(row), []).append(id_)

        judgements = Judgements(queries, documents)
        for row in rows:
            for named in _ids(row, "relevant"):
                judgements.add(Row(row.file, row.at, {"id": row.id("id"), "relevant": named}), "id", "relevant", 1)
        for row in read_jsonl(self._options.qrels):
            judgements.add(row, "query", "document", row.integer("grade") if "grade" in row.fields else 1)
        for row in rows:
            if "relevant" in row.fields and not row.fields["relevant"]:
                judged = judgements.qrels.setdefault(row.id("id"), ById("judgement"))
                if any(grade > 0 for grade in judged.values()):
                    raise row.error("'relevant' is [], and qrels judge a document relevant; correct one of them")
        notes = (*judgements.notes, *shown.notes(documents))
        return Collection(documents, queries, judgements.qrels, splits, groups, notes=notes, facets=facets)


def _history(row: Row, documents: ById[Document]) -> tuple[Document, ...]:
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
