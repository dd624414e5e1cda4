"""A row in few letters: `.648 ±.07 a`, as papers and narrow terminals have it."""

from __future__ import annotations

from collections.abc import Mapping

from rr_bench.evaluate.results import BenchResult, DatasetResult, Row
from rr_bench.evaluate.significance import Difference, Interval
from rr_bench.report.table import count, size

SIGNIFICANT = 0.05
MARKS = {"fault": "!!", "warning": "!"}
"""Behind the state, of `Row.worst`."""
NAME, STATE, DELTA, MS = "reranker", "state", "Δ", "ms"
COSTS = ("p95", "memory", "params", "$/1k", "train s", "size", "pairs/s", "trained")
"""The most important first."""


def columns(result: BenchResult, dataset: DatasetResult) -> list[str]:
    """In the order that they stand in; those that no row has a figure for are left out."""
    leading, *others = result.metrics
    rows = [cells(row, result) for row in dataset.rows]
    wanted = [STATE, leading, DELTA, *others, MS, *COSTS]
    return [NAME, *(name for name in wanted if any(row.get(name) for row in rows))]


def importance(result: BenchResult) -> list[str]:
    """The columns, what must not be missing first."""
    leading, *others = result.metrics
    return [NAME, leading, DELTA, STATE, *others[:1], MS, *others[1:], *COSTS]


def cells(row: Row, result: BenchResult) -> dict[str, str]:
    """Column → text; a row that failed, or that does not apply, has a name and that as its state."""
    if not row.metrics:
        return {NAME: row.reranker, STATE: "FAILED" if row.failure else "skipped"}
    leading, *others = result.metrics
    return {
        NAME: row.reranker,
        STATE: f"{row.state} {MARKS.get(row.worst, '')}".strip(),
        leading: f"{mean_and_half(row.metrics[leading])} {row.letters}".strip(),
        DELTA: difference(row.difference) if row.difference else "",
        **{name: figure(row.metrics[name].mean) for name in others},
        MS: f"{milliseconds(row.ms_per_query)}{'*' * row.pareto}",
        "p95": milliseconds(row.ms_p95) if row.timed_queries else "",
        "memory": size(row.memory) if row.memory else "",
        "params": count(row.parameters) if row.parameters else "",
        "$/1k": "" if row.dollars is None else f"{row.dollars:.3g}",
        "train s": "" if row.train_seconds is None else f"{row.train_seconds:.0f}",
        "size": size(row.size) if row.size else "",
        "pairs/s": f"{row.pairs_per_second:,.0f}",
        "trained": count(row.trainable) if row.trainable else "",
    }


def legend(result: BenchResult, dataset: DatasetResult) -> str:
    """What the columns of one data set mean that stands nowhere else."""
    rows = [row for row in dataset.rows if row.metrics]
    parts = ["±: half of the 95 % interval"]
    if any(row.difference for row in rows):
        parts.append(f"{DELTA}: {result.metrics[0]} less that of {dataset.baseline}, * where Holm's p < .05")
    marks = {row.worst for row in rows}
    parts += [f"{mark}: {verdict}, see its note" for verdict, mark in MARKS.items() if verdict in marks]
    return "; ".join(parts)


def figure(value: float, places: int = 3) -> str:
    """`.648`, `-.070`, `1.000`."""
    text = f"{value:.{places}f}"
    return text.replace("0.", ".", 1) if text.removeprefix("-").startswith("0.") else text


def mean_and_half(one: Interval) -> str:
    """`.648 ±.07`; of an interval that is no mean ± half, the longer half."""
    return f"{figure(one.mean)} ±{_rough(max(one.mean - one.low, one.high - one.mean))}"


def difference(gap: Difference) -> str:
    """`+.31*`; the star: it is significant, after Holm where there is a correction."""
    return f"{'-' if gap.mean < 0 else '+'}{_rough(abs(gap.mean))}{'*' * significant(gap)}"


def significant(gap: Difference) -> bool:
    return (gap.p if gap.p_holm is None else gap.p_holm) < SIGNIFICANT


def milliseconds(value: float) -> str:
    """`0.14`, `12.5`, `610`."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _rough(value: float) -> str:
    """Two places, three where two say nothing."""
    return figure(value, 2 if value >= 0.01 or value == 0 else 3)


def best(row: Row, result: BenchResult) -> Mapping[str, bool]:
    """Of each column of a metric: whether it is the best of the data set."""
    return {name: name in row.best for name in result.metrics}
