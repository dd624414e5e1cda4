"""Comparisons, groups of queries and the mean over the suite as CSV: a line each, figures unrounded."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from rr_bench.evaluate.results import BenchResult
from rr_bench.evaluate.significance import Difference
from rr_bench.report import escape

COMPARISONS, GROUPS, SUITE = FILES = "comparisons.csv", "groups.csv", "suite.csv"
DIFFERENCE = (
    *("delta", "delta low", "delta high", "p", "p_holm", "p_bh", "d_z", "wins", "ties", "losses"),
    "detectable",
)


def comparisons_csv(result: BenchResult) -> str:
    """`family`: that whose p-values are corrected together."""
    lines = (
        (
            *(dataset.name, one.reranker, one.baseline, one.metric),
            "exploratory" if one.exploratory else "leading metric",
            *(*figures(one.difference), one.difference.d_z_note, one.difference.caution),
        )
        for dataset in result.datasets
        for one in dataset.comparisons
    )
    names = ("dataset", "reranker", "baseline", "metric", "family", *DIFFERENCE, "d_z note", "caution")
    return written(names, lines)


def groups_csv(result: BenchResult) -> str:
    lines = (
        (
            *(dataset.name, group.field, group.value, name, metric, group.queries[metric]),
            *(one.mean, one.low, one.high, group.caution),
        )
        for dataset in result.datasets
        for group in dataset.groups
        for name, metrics in group.metrics.items()
        for metric, one in metrics.items()
    )
    names = ("dataset", "field", "value", "reranker", "metric", "queries", "mean", "low", "high", "caution")
    return written(names, lines)


def suite_csv(result: BenchResult) -> str:
    """A reranker that has no figures on a data set has no mean, and that data set as `missing`."""
    lines = []
    for one in result.suite:
        ranks = (one.rank, one.rank_low, one.rank_high)
        found = (one.mean.mean, one.mean.low, one.mean.high, *ranks) if one.mean else ("",) * 6
        lines.append((one.reranker, result.metrics[0], *found, "; ".join(one.missing)))
    return written(("reranker", "metric", "mean", "low", "high", "rank", "rank low", "rank high", "missing"), lines)


def figures(gap: Difference) -> tuple[object, ...]:
    """One a column of `DIFFERENCE`; what is not there is empty."""
    found = (gap.mean, gap.low, gap.high, gap.p, gap.p_holm, gap.p_bh, gap.d_z, gap.wins, gap.ties, gap.losses)
    return tuple("" if value is None else value for value in (*found, gap.detectable))


def written(columns: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(map(escape.csv_cell, columns))
    writer.writerows(map(escape.csv_cell, line) for line in lines)
    return out.getvalue()
