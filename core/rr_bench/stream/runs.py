"""Runs on disk: what a first stage found for each query, read and written query by query.

The format is TREC's, which BEIR's `util.save_runfile` writes too (with 0 for every rank): lines of query, Q0, document,
rank, score and tag, with blanks between them. The rank is not read: the scores give the order, as in trec_eval.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from rr.data.files import column_row
from rr.data.rows import ById, Row
from rr.types import Ranking
from rr_bench.stream.lines import stream_lines

COLUMNS = ("query", "Q0", "document", "rank", "score", "tag")


def read_run(path: Path) -> Iterator[list[Row]]:
    """The rows of one query after the other: those that stand together, so a query whose rows are scattered comes
    several times.

    Raises:
        DataError: the file is missing or empty, or a line is malformed.
    """
    rows = (column_row(path, line.text, line.number, COLUMNS) for line in stream_lines(path))
    for _, block in groupby(rows, key=lambda row: row.id("query")):
        yield list(block)


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
    return "".join(
        f"{ranking.query.id} Q0 {id_} {rank} {score!r} {tag}\n"
        for rank, (id_, score) in enumerate(ranking.run.items(), 1)
    )
