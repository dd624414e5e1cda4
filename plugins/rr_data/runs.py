"""A first stage's run as files: TREC's six columns, MS MARCO's three, `{query: {document: score}}`, or the lines that
`rr rerank` writes."""

from __future__ import annotations

import string
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from rr import DataError, Query
from rr.data import ById, Damage, Documents, Row, lines, parse_json, read_jsonl, read_text
from rr_data.found import first_lines, starts_with
from rr_data.qrels import cells_of

COLUMNS = {6: ("query", "Q0", "document", "rank", "score", "tag"), 3: ("query", "document", "rank")}


def read_run(
    path: Path, queries: ById[Query], documents: Documents, damage: Damage, query: str = "query"
) -> dict[str, dict[str, float]]:
    """Query → document → score. `query`: what its errors call one. Of MS MARCO's three columns the rank gives the
    order; of six it is not read.

    Raises:
        DataError: as `rr.data.lines`. A line that names what does not exist, or comes again, is damage.
    """
    run: dict[str, ById[float]] = {}
    for row in run_rows(path, damage):
        with damage.row():
            query_id = row.reference("query", queries, query)
            scored = run.setdefault(query_id, ById(f"the run line of {query} {query_id!r} for document"))
            score = row.number("score") if "score" in row.fields else -row.number("rank")
            scored.add(row.reference("document", documents, "document"), score, row)
    return {query_id: dict(scores) for query_id, scores in run.items()}


def kept(run: Mapping[str, dict[str, float]], queries: Collection[str]) -> dict[str, dict[str, float]]:
    """The run of those queries alone."""
    return {query_id: scores for query_id, scores in run.items() if query_id in queries}


def run_rows(path: Path, damage: Damage) -> Iterator[Row]:
    """Rows of `query`, `document`, and `score` or `rank`."""
    if not starts_with(path, "{"):
        yield from _columns(path, damage)
    elif '"ranking"' in first_lines(path)[0]:
        for line in read_jsonl(path, damage):
            with damage.row():
                for item in line.children("ranking"):
                    fields = {"query": line.value("id"), "document": item.value("id"), "score": item.value("score")}
                    yield Row(path, item.at, fields)
    else:
        whole = parse_json(read_text(path), str(path))
        for query_id, scores in whole.items():
            if not isinstance(scores, dict):
                raise DataError(f"{path}, query {query_id!r}: expected {{document: score}}, found {scores!r:.40}")
            for id_, score in scores.items():
                yield Row(path, f"query {query_id!r}", {"query": query_id, "document": id_, "score": score})


def _columns(path: Path, damage: Damage) -> Iterator[Row]:
    columns: tuple[str, ...] = ()
    for number, line in lines(path):
        if not line.strip(string.whitespace):
            continue
        with damage.row():
            # an id may hold blanks where tabs part the columns
            tabs = line.count("\t")
            cells = cells_of(line, "\t" if tabs + 1 in COLUMNS else None)
            columns = columns or COLUMNS.get(len(cells), COLUMNS[6])
            row = Row(path, f"line {number}", dict(zip(columns, cells, strict=False)))
            if len(cells) != len(columns):
                raise row.error(f"{len(cells)} columns; write {len(columns)}: {' '.join(columns)}")
            if len(columns) == 3 and row.number("rank") < 1:
                raise row.error("the third column is no rank, which counts from 1; write a run of TREC's six columns")
            yield row
