"""Judgements as files: TREC's four columns, BEIR's three with their header or without it, or JSON lines."""

from __future__ import annotations

import csv
import string
from collections.abc import Iterator
from pathlib import Path

from rr import DataError
from rr.data import Damage, Row, lines, read_jsonl
from rr_data.found import starts_with
from rr_data.judgements import Judgements

NAMES = {
    "query": ("query-id", "query_id", "queryid", "qid", "query", "topic", "topic_id", "topic-id"),
    "iteration": ("iteration", "iter", "q0"),
    "document": ("corpus-id", "corpus_id", "doc-id", "doc_id", "docid", "docno", "pid", "document", "document_id"),
    "grade": ("score", "grade", "relevance", "rel", "label", "judgment", "judgement"),
}
"""Column → its names in headers, in lower case."""
COLUMNS = {3: ("query", "document", "grade"), 4: ("query", "iteration", "document", "grade")}
"""Of files without a header, by their number."""


def read_qrels(path: Path, judgements: Judgements, damage: Damage) -> list[str]:
    """Adds the judgements of a file, and gives the queries that it judges, each once. Lines: `query document grade` or
    `query iteration document grade`, with tabs, commas or blanks between them, with a header or without one; or
    `{query-id, corpus-id, score}`.

    Raises:
        DataError: as `rr.data.lines`, or grades and iterations are as if they were in each other's place.
    """
    found: dict[str, None] = {}
    some, iterations = False, set[str]()
    for row in qrels_rows(path, damage):
        with damage.row():
            grade = row.integer("grade")
            some = some or grade > 0
            iterations.add(str(row.fields.get("iteration", "")))
            query_id = judgements.add(row, "query", "document", grade)
            if query_id is not None:
                found[query_id] = None
    if not some and any(one.isdigit() and int(one) > 0 for one in iterations):
        order = "query iteration document grade"
        raise DataError(f"{path}: all grades are 0, and the iterations are not; put the columns in order: {order}")
    return list(found)


def qrels_rows(path: Path, damage: Damage) -> Iterator[Row]:
    """The lines as rows of `query`, `document`, `grade` and, where there is one, `iteration`."""
    if starts_with(path, "{"):
        for row in read_jsonl(path, damage):
            with damage.row():
                keys = {key: row.either(*names) for key, names in NAMES.items() if key != "iteration"}
                yield Row(row.file, row.at, {key: row.fields[name] for key, name in keys.items()})
        return
    columns: tuple[str, ...] = ()
    separator: str | None = None
    last = 0
    for number, line in lines(path):
        if not line.strip(string.whitespace):
            continue
        if not columns:
            separator = separator_of(line)
            cells = cells_of(line, separator)
            columns = header_of(cells)
            if columns:
                last = number
                continue
            if len(cells) not in COLUMNS:
                shown = " or ".join(" ".join(one) for one in COLUMNS.values())
                raise DataError(f"{path}, line {number}: {len(cells)} columns; write {shown}")
            columns = COLUMNS[len(cells)]
        last = 0
        with damage.row():
            cells = cells_of(line, separator)
            row = Row(path, f"line {number}", dict(zip(columns, cells, strict=False)))
            if len(cells) != len(columns):
                raise row.error(f"{len(cells)} columns; write {len(columns)}: {' '.join(columns)}")
            yield row
    if last:
        raise DataError(f"{path}: no judgements below the header; fetch or write the file again")


def separator_of(line: str) -> str | None:
    """The tab or comma between its columns, else None for blanks."""
    found = (one for one in "\t," if line.strip(string.whitespace).count(one) + 1 in COLUMNS)
    return next(found, None)


def cells_of(line: str, separator: str | None) -> list[str]:
    """Its cells without the blanks around them, and without quotes, if it begins with one."""
    if separator is None:
        return [cell for cell in line.translate(_ONE_BLANK).split(" ") if cell]
    cells = next(csv.reader([line], delimiter=separator)) if line.startswith('"') else line.split(separator)
    return [cell.strip(string.whitespace) for cell in cells]


_ONE_BLANK = str.maketrans(dict.fromkeys(string.whitespace, " "))
"""ASCII alone: an id may hold a no-break space."""


def header_of(cells: list[str]) -> tuple[str, ...]:
    """What the cells are named as, if they are a header; nothing if they are none."""
    names = {name: key for key, names in NAMES.items() for name in names}
    found = tuple(names.get(cell.lower(), "") for cell in cells)
    return found if {"query", "document", "grade"} <= {*found} else ()
