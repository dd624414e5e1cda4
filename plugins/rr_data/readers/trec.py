"""TREC: documents as JSONL, topics, a qrels file, and a first stage's run where there is one.

documents: `{id or docno, text or contents, title?}` a line. topics: JSONL of `{id, text}`, or lines of id, a
tab and the text. qrels: lines of query, iteration (not read), document and grade, a whole number (above 0 is
relevant). run: lines of query, Q0, document, rank (not read: the scores give the order), score (higher is
better) and tag.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rr import Document, Query, Settings
from rr.data import ById, Collection, DataPath, Row, read_columns, read_jsonl, read_text
from rr_data.judgements import Judgements


class Options(Settings):
    documents: DataPath
    """JSONL."""
    topics: DataPath
    """JSONL, or id and text with a tab between them."""
    qrels: DataPath
    """Four columns."""
    run: DataPath | None = None
    """Six columns: the first stage to rerank."""


class Trec:
    Settings = Options

    def __init__(self, settings: Options) -> None:
        self._options = settings

    def files(self) -> list[Path]:
        """All that `read` reads."""
        return [
            self._options.documents,
            self._options.topics,
            self._options.qrels,
            *([self._options.run] if self._options.run else []),
        ]

    def read(self) -> Collection:
        """
        Raises:
            DataError: a file or a key is missing, a line has another number of columns, an id, a judgement or a
                run line comes twice, a run line names an id that does not exist, or a topic is blank.
        """
        documents: ById[Document] = ById("document")
        for row in read_jsonl(self._options.documents):
            id_ = row.id(row.either("id", "docno"))
            text = row.string(row.either("text", "contents"))
            documents.add(id_, Document(id_, text, row.string("title", "")), row)
        queries: ById[Query] = ById("topic")
        for row in _topics(self._options.topics):
            id_ = row.id("id")
            queries.add(id_, Query(id_, row.text("text")), row)

        judgements = Judgements(queries, documents, "topic")
        for row in read_columns(self._options.qrels, ("query", "iteration", "document", "grade")):
            judgements.add(row, "query", "document", row.integer("grade"))

        run: dict[str, ById[float]] = {}
        columns = ("query", "Q0", "document", "rank", "score", "tag")
        for row in read_columns(self._options.run, columns) if self._options.run else ():
            query_id = row.reference("query", queries, "topic")
            scored = run.setdefault(query_id, ById(f"the run line of topic {query_id!r} for document"))
            scored.add(row.reference("document", documents, "document"), row.number("score"), row)
        return Collection(documents, queries, judgements.qrels, run=run, notes=judgements.notes)


def _topics(path: Path) -> Iterator[Row]:
    is_json = read_text(path).lstrip().startswith("{")
    return read_jsonl(path) if is_json else read_columns(path, ("id", "text"), "\t")
