"""MS MARCO's passages or documents, as they are downloaded.

collection: collection.tsv, lines of passage id, a tab and the text, or msmarco-docs.tsv, lines of document id, URL,
title and body; a folder of such files; or the JSON lines of its second version, `{pid, passage}` or `{docid, title,
body}`. queries: queries.*.tsv, lines of query id, a tab and the text. qrels: qrels.*.tsv (`rr_data.qrels`). A
header is passed over; each file may be packed.

top1000: top1000.dev, lines of query id, passage id, query and passage: what BM25 found, in no order and without
scores. These are the candidates (`candidates.retriever: run`), with equal scores. Without `collection`, its passages
are the documents, and without `queries`, its queries are asked.

A query that nothing judges is left out. `sample` keeps what is judged or in top1000, and so many other passages,
drawn by lot: all other passages are easier to tell apart then.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from rr import DataError, Document, Query, Settings
from rr.data import ById, Collection, Damage, DataPath, Documents, Row, lines, read_jsonl
from rr_data.found import bare_name, files_in, first_lines, is_header, packed, starts_with
from rr_data.judgements import Judgements
from rr_data.qrels import read_qrels
from rr_data.sources import Files, Split, files_of

PASSAGES, PAGES = ("id", "text"), ("id", "url", "title", "text")
TOP = ("query", "document", "question", "text")
IDS, TEXTS = ("pid", "docid", "id"), ("passage", "body", "text")


class Options(Settings):
    collection: DataPath | None = None
    """collection.tsv or msmarco-docs.tsv; not needed where top1000 is given."""
    queries: Files | None = None
    """queries.dev.small.tsv, or a list of such files; not needed where top1000 is given."""
    qrels: Files
    """qrels.dev.small.tsv, or one file a split: {train: …, test: …}."""
    top1000: DataPath | None = None
    """Candidates: query id, passage id, query and passage a line."""
    sample: int | None = Field(None, ge=0)
    """Passages that are neither judged nor candidates; None keeps all."""
    seed: int = 13
    """Of the sample."""

    @model_validator(mode="after")
    def _has_texts(self) -> Options:
        if self.top1000 is None and (self.collection is None or self.queries is None):
            raise ValueError("collection and queries are needed, unless top1000 is given")
        return self


class MsMarco:
    Settings = Options

    def __init__(self, settings: Options) -> None:
        self._options = settings

    @classmethod
    def recognise(cls, paths: Sequence[Path]) -> dict[str, Any] | None:
        """Its options, if the files, or those of one folder, are called as MS MARCO's are, with one file of queries."""
        if len(paths) == 1 and paths[0].is_dir():
            paths = [path for path in sorted(paths[0].iterdir()) if path.is_file()]
        found: dict[str, list[str]] = {"collection": [], "queries": [], "qrels": [], "top1000": []}
        for path in paths:
            name = bare_name(path)
            if name.startswith(("collection.tsv", "msmarco-docs.tsv")):
                found["collection"].append(str(path))
            elif name.startswith("top1000.") or name.endswith(".top1000"):
                found["top1000"].append(str(path))
            elif name.endswith(".tsv") and name.startswith(("queries.", "msmarco-docdev-queries")):
                found["queries"].append(str(path))
            elif name.endswith(".tsv") and name.startswith(("qrels.", "msmarco-docdev-qrels")):
                found["qrels"].append(str(path))
        given = {key: values[0] for key, values in found.items() if len(values) == 1}
        if any(len(values) > 1 for values in found.values()) or "qrels" not in given:
            return None
        return given if "top1000" in given or {"collection", "queries"} <= given.keys() else None

    def files(self) -> list[Path]:
        """All that `read` reads."""
        options = self._options
        return [
            *(files_in(options.collection) if options.collection else []),
            *(path for files in (options.queries, options.qrels) for _, path in _named(files)),
            *([packed(options.top1000)] if options.top1000 else []),
        ]

    def read(self) -> Collection:
        """
        Raises:
            DataError: a file is missing, a line has another number of columns, an id comes twice, or a query is blank.
        """
        damage, options = Damage(), self._options
        queries: ById[Query] = ById("query")
        for _, path in _named(options.queries):
            for row in _rows(path, {2: ("id", "text")}, damage):
                with damage.row():
                    queries.add(row.id("id"), Query(row.id("id"), row.text("text")), row)

        documents, run = Documents(), dict[str, ById[float]]()
        for row in _rows(packed(options.top1000), {4: TOP}, damage) if options.top1000 else ():
            with damage.row():
                self._add_candidate(row, queries, documents, run)

        judgements = Judgements(queries, documents)
        splits: dict[str, list[str]] = {}
        first = _named(options.qrels)[0][1]
        for split, path in _named(options.qrels):
            splits.setdefault(split or "", []).extend(read_qrels(path, judgements, damage))
        judged = {id_ for grades in judgements.qrels.values() for id_ in grades}
        notes = []
        if options.collection is not None:
            wanted = judged | {id_ for scores in run.values() for id_ in scores}
            notes += self._add_documents(documents, wanted, damage)
        told = damage.told()
        judgements.must_be_of(first)

        asked = judgements.asked()
        if run:
            notes.append(
                "the candidates of top1000 have no scores: they are tied, so that `candidates.retriever: run` with a "
                "`depth` below 1000 takes some of them, whatever their quality"
            )
        return Collection(
            documents,
            asked,
            judgements.qrels,
            {split: ids for split, ids in splits.items() if split},
            run={query_id: dict(scores) for query_id, scores in run.items() if query_id in asked},
            notes=(*told, *judgements.notes, *notes),
        )

    def _add_candidate(self, row: Row, queries: ById[Query], documents: Documents, run: dict[str, ById[float]]) -> None:
        query_id, id_ = row.id("query"), row.id("document")
        if self._options.queries is not None:
            query_id = row.reference("query", queries, "query")
        elif query_id not in queries:
            queries.add(query_id, Query(query_id, row.text("question")), row)
        if self._options.collection is None and id_ not in documents:
            documents.add(id_, Document(id_, row.string("text")), row)
        run.setdefault(query_id, ById(f"the candidate of query {query_id!r},")).add(id_, 0.0, row)

    def _add_documents(self, documents: Documents, wanted: set[str], damage: Damage) -> list[str]:
        """All, or those that are wanted and a sample of the others, in the order of the files; and a note on that."""
        assert self._options.collection is not None
        size = self._options.sample
        drawn: list[tuple[float, int]] = []  # the largest draws so far, with the places of their documents
        if size is not None:
            draw, others = random.Random(self._options.seed), 0
            for place, row in enumerate(self._documents(Damage())):
                if str(row.fields["id"]).strip() not in wanted:
                    others += 1
                    heapq.heappush(drawn, (draw.random(), place))
                    if len(drawn) > size:
                        heapq.heappop(drawn)
        places = {place for _, place in drawn}
        for place, row in enumerate(self._documents(damage)):
            with damage.row():
                id_ = row.id("id")
                if size is None or id_ in wanted or place in places:
                    documents.add(id_, Document(id_, row.string("text"), row.string("title", "")), row)
        if size is None:
            return []
        return [f"documents neither judged nor candidates: {others:,}, of which {len(places):,} are kept, drawn by lot"]

    def _documents(self, damage: Damage) -> Iterator[Row]:
        assert self._options.collection is not None
        for path in files_in(self._options.collection):
            if not starts_with(path, "{"):
                yield from _rows(path, {2: PASSAGES, 4: PAGES}, damage)
                continue
            for row in read_jsonl(path, damage):
                with damage.row():
                    fields = {"id": row.value(row.either(*IDS)), "text": row.value(row.either(*TEXTS))}
                    yield Row(path, row.at, {**fields, "title": row.fields.get("title")})


def _named(files: Files | None) -> list[tuple[Split | None, Path]]:
    return [(split, packed(path)) for split, path in files_of(files)]


def _rows(path: Path, forms: dict[int, tuple[str, ...]], damage: Damage) -> Iterator[Row]:
    """The lines of a file without a header, of as many columns as its first line."""
    starts = first_lines(path)
    columns = forms.get(starts[0].count("\t") + 1) if starts else next(iter(forms.values()))
    if columns is None:
        shown = " or ".join("⇥".join(one) for one in forms.values())
        raise DataError(f"{path}, line 1: {starts[0].count(chr(9)) + 1} columns, parted by tabs; write {shown}")
    for number, line in lines(path):
        if not line.strip():
            continue
        with damage.row():
            cells = line.split("\t")
            if number == 1 and is_header(cells):
                continue
            row = Row(path, f"line {number}", dict(zip(columns, cells, strict=False)))
            if len(cells) != len(columns):
                raise row.error(f"{len(cells)} columns; write {len(columns)}: {' '.join(columns)}")
            yield row
