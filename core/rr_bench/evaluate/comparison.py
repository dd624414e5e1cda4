"""The rows of one data set against each other: sorted, the best marked, each pair that is asked for compared by every
metric, and those that cannot be told apart marked with a letter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from rr_bench.evaluate.corrections import holm
from rr_bench.evaluate.letters import compact_letters
from rr_bench.evaluate.results import Comparison, DatasetResult, Row
from rr_bench.evaluate.significance import Difference, described
from rr_bench.evaluate.signs import ROUNDING, Flipped, differences

LEVEL = 0.05

Pair = tuple[int, int]
"""The places of two rows: the second is the one that differences are taken from."""


def compared(
    result: DatasetResult, metrics: Sequence[str], baselines: Sequence[str], *, all_pairs: bool
) -> DatasetResult:
    """The result with its rows sorted by the leading metric, the first of `metrics`, and compared: all others with each
    of `baselines`, in their order, or, besides, all pairs, the better with the worse. Two rows are compared once."""
    measured = sorted((row for row in result.rows if row.metrics), key=lambda row: -row.metrics[metrics[0]].mean)
    others = sorted((row for row in result.rows if not row.metrics), key=lambda row: bool(row.failure))
    pairs = _pairs([row.reranker for row in measured], baselines, all_pairs=all_pairs)
    comparisons: list[Comparison] = []
    letters = [""] * len(measured)
    for metric in metrics if len(measured) > 1 else ():
        versus = _Versus(measured, metric)
        exploratory = metric != metrics[0]
        if not exploratory:
            letters = _letters(versus, len(measured))
        comparisons += [
            Comparison(measured[one].reranker, measured[other].reranker, metric, exploratory, versus(one, other))
            for one, other in pairs
        ]
    best = _best(measured, metrics)
    rows = (replace(row, letters=own, best=best[row.reranker]) for row, own in zip(measured, letters, strict=True))
    return replace(result, rows=(*rows, *others), comparisons=tuple(comparisons))


class _Versus:
    """The differences of rows by one metric."""

    def __init__(self, rows: Sequence[Row], metric: str) -> None:
        self._values = np.array([row.per_query[metric] for row in rows], dtype=np.float64)
        self._seeds = [row.seed_means(metric) for row in rows]
        self._flipped = Flipped(self._values)
        self._known: dict[Pair, Difference] = {}

    def __call__(self, one: int, other: int) -> Difference:
        if (one, other) not in self._known:
            gaps, p = differences(self._values[one], self._values[other]), self._flipped.p(one, other)
            self._known[one, other] = described(gaps, p, (*self._seeds[one], *self._seeds[other]))
        return self._known[one, other]


def _pairs(names: Sequence[str], baselines: Iterable[str], *, all_pairs: bool) -> list[Pair]:
    """`names`: best first."""
    places = {name: place for place, name in enumerate(names)}
    asked = [(place, places[name]) for name in baselines if name in places for place in range(len(names))]
    if all_pairs:
        asked += combinations(range(len(names)), 2)
    once: dict[frozenset[int], Pair] = {}
    for one, other in asked:
        if one != other:
            once.setdefault(frozenset((one, other)), (one, other))
    return list(once.values())


def _letters(versus: _Versus, count: int) -> list[str]:
    pairs = list(combinations(range(count), 2))
    corrected = holm([versus(one, other).p for one, other in pairs])
    return compact_letters(count, (pair for pair, p in zip(pairs, corrected, strict=True) if p <= LEVEL))


def _best(rows: Sequence[Row], metrics: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Row → the metrics by which none is better."""
    if len(rows) < 2:
        return {row.reranker: () for row in rows}
    highest = {metric: max(row.metrics[metric].mean for row in rows) - ROUNDING for metric in metrics}
    return {row.reranker: tuple(m for m in metrics if row.metrics[m].mean >= highest[m]) for row in rows}
