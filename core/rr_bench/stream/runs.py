"""Runs on disk: what a first stage found for each query, read and written query by query.

The format is TREC's, which BEIR's `util.save_runfile` writes too (with 0 for every rank): lines of query, Q0, document,
rank, score and tag, with blanks between them, or with tabs, where an id holds a blank. The rank is not read: the scores
give the order, as in trec_eval. JSON is read too, `{query: {document: score}}` and the lines of `{id, ranking: [{id,
score}]}` that `rr rerank` writes; the former as a whole, for it cannot be read in parts. Any may be packed.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from rr.data.files import column_row, json_row, read_text
from rr.data.rows import ById, Row
from rr.data.strict_json import parse_json
from rr.types import Ranking
from rr_bench.stream.lines import Line, stream_lines

COLUMNS = ("query", "Q0", "document", "rank", "score", "tag")


def read_run(path: Path) -> Iterator[list[Row]]:
    """The rows of one query after the other: those that stand together, so a query whose rows are scattered comes
    several times.

    Raises:
        DataError: the file is missing or empty, or a line is malformed.
    """
    for _, block in groupby(run_rows(path), key=lambda row: row.id("query")):
        yield list(block)


def run_rows(path: Path) -> Iterator[Row]:
    """Rows of `query`, `document`, `score`, and `rank` where there is one, in the order of the file.

    Raises:
        DataError: the file is missing or empty, or a line is malformed.
    """
    whole: dict[str, dict[str, Any]] | None = None
    for place, line in enumerate(stream_lines(path)):
        if not line.text.lstrip().startswith("{") and place == 0:
            yield _columns(path, line)
            yield from (_columns(path, other) for other in _others(path))
            return
        if place == 0 and (whole := whole_object(path, line.text)) is not None:
            yield from pairs(path, whole, "score")
            return
        row = json_row(path, line.text, line.number)
        for item in row.children("ranking"):
            fields = {"query": row.value("id"), "document": item.value("id"), "score": item.value("score")}
            yield Row(path, item.at, fields | ({"rank": item.fields["rank"]} if "rank" in item.fields else {}))


def whole_object(path: Path, first: str) -> dict[str, dict[str, Any]] | None:
    """The file as one object of objects; None where it is one of lines. `first`: its first line."""
    if first.rstrip().endswith("}") and sum(1 for _, _ in zip(stream_lines(path), range(2), strict=False)) > 1:
        return None
    found = parse_json(read_text(path), str(path))
    return found if isinstance(found, dict) and all(isinstance(value, dict) for value in found.values()) else None


def pairs(path: Path, whole: dict[str, dict[str, Any]], name: str) -> Iterator[Row]:
    """A row for each value of the inner objects."""
    for query, values in whole.items():
        for document, value in values.items():
            yield Row(path, f"query {query!r}", {"query": query, "document": document, name: value})


def _others(path: Path) -> Iterator[Line]:
    lines = stream_lines(path)
    next(lines)
    return lines


def _columns(path: Path, line: Line) -> Row:
    row = column_row(path, line.text, line.number, COLUMNS, "\t" if line.text.count("\t") == 5 else None)
    if not row.number("rank").is_integer():
        raise row.error(f"the rank must be a whole number, not {row.value('rank')}; put the columns in order")
    return row


def must_be_writable(row: Row) -> None:
    """
    Raises:
        DataError: an id holds a tab or a line break, so that no run can be written with it.
    """
    for key in ("query", "document"):
        if set(row.id(key)) & set("\t\r\n"):
            raise row.error(f"{key} {row.id(key)!r} holds a tab or a line break, and no run can; give it another id")


def scores(block: Sequence[Row]) -> dict[str, float]:
    """Document id → score.

    Raises:
        DataError: a document comes twice, or a score is no finite number.
    """
    found: ById[float] = ById(f"the run line of query {block[0].id('query')!r} for document")
    for row in block:
        found.add(row.id("document"), row.number("score"), row)
    return found


def run_lines(ranking: Ranking, tag: str) -> str:
    """A ranking as lines of a run. The scores are written such that reading gives the same ones, and the same order."""
    ids = (ranking.query.id, *ranking.run)
    gap = "\t" if any(set(id_) & set(string.whitespace) for id_ in ids) else " "
    return "".join(
        gap.join((ranking.query.id, "Q0", id_, str(rank), repr(score), tag)) + "\n"
        for rank, (id_, score) in enumerate(ranking.run.items(), 1)
    )
