"""The Pareto front: rows that no other one is better than at no higher cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rr_bench.evaluate.results import Row


def with_front(rows: Sequence[Row], leading: str) -> tuple[Row, ...]:
    """The rows with `pareto`: no other row has as high a mean of the leading metric in less time a query, or a higher
    one in as little. Of rows that are equal in both, all or none are on it; one without figures never is."""
    points = [(row.metrics[leading].mean, row.ms_per_query) for row in rows if row.metrics]

    def beaten(mean: float, ms: float) -> bool:
        return any(m >= mean and t <= ms and (m, t) != (mean, ms) for m, t in points)

    return tuple(
        replace(row, pareto=not beaten(row.metrics[leading].mean, row.ms_per_query)) if row.metrics else row
        for row in rows
    )
