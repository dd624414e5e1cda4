"""What a table says of its times: how they were taken, and on which machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rr_bench.evaluate.cost import QUERIES
from rr_bench.evaluate.results import BenchResult, Row

METHOD = (
    f"A query's time: the median, and 95th percentile, of at most {QUERIES} test queries, each asked alone by a newly "
    "loaded model for which nothing is kept. "
)


def machines(result: BenchResult) -> str:
    """Sentences on how and where the times of the rows were taken, each with a space behind it; nothing without any."""
    rows: dict[str, dict[str, None]] = {}
    for place, name in _places(result):
        rows.setdefault(place, {})[name] = None
    if not rows:
        return ""
    if len(rows) == 1:
        return f"{METHOD}Times are of {next(iter(rows))}. "
    told = "; ".join(f"{place}: {', '.join(names)}" for place, names in rows.items())
    return f"{METHOD}Times are of different machines and cannot be compared across them: {told}. "


def conditions_text(timed_on: Mapping[str, str]) -> str:
    """`x86_64, AMD EPYC 7B13, 2 cores, 1 thread, cpu`; nothing where nothing was timed."""
    if not timed_on:
        return ""
    threads = timed_on.get("threads", "?")
    return f"{timed_on['machine']}, {threads} thread{'s' * (threads != '1')}, {timed_on['device']}"


def _places(result: BenchResult) -> Iterator[tuple[str, str]]:
    """(conditions, name of what was timed on them) of every row; a training's are named where they are others."""
    for dataset in result.datasets:
        if retrieval := conditions_text(dataset.first_stage_timed_on):
            yield retrieval, f"the first stage of {dataset.name}"
        for row in dataset.rows:
            yield from _of_row(row, dataset.name if len(result.datasets) > 1 else "")


def _of_row(row: Row, dataset: str) -> Iterator[tuple[str, str]]:
    name = f"{row.reranker} on {dataset}" if dataset else row.reranker
    scoring, training = conditions_text(row.timed_on), conditions_text(row.train_timed_on)
    if scoring:
        yield scoring, name
    if training and training != scoring:
        yield training, f"the training of {name}"
