"""Trainings that are repeated with several seeds, as one row: what differs between seeds is told apart from what
differs between queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from statistics import fmean

import numpy as np

from rr.errors import RerankError
from rr.progress import Progress
from rr.registry.plugins import Plugins
from rr.registry.resolve import resolve
from rr.registry.schema import RerankerEntry
from rr_bench.entries import Failure
from rr_bench.evaluate.merging import Prefixed, conditions, diagnostics, findings, merged, verdict
from rr_bench.evaluate.results import Row, Seed, Spread
from rr_bench.evaluate.significance import MEANS, Interval, limits
from rr_bench.evaluate.signs import Array
from rr_bench.train.trainers import training_settings

ONCE = "trained once: its trainer has no setting 'seed'"


def repeated(
    plugins: Plugins,
    label: str,
    entry: RerankerEntry | Failure,
    row: Callable[[str, RerankerEntry | Failure, Progress], Row],
    count: int | None,
    progress: Progress,
) -> Row:
    """The row of an entry, as `row` measures it; of one that the bench trains, of `count` trainings, if that is asked
    for: with the seed of its own, and with those that follow."""
    if count is None or isinstance(entry, Failure) or entry.trainer is None or entry.checkpoint != "train":
        return row(label, entry, progress)
    try:
        first = getattr(training_settings(plugins, resolve(plugins, label, entry)), "seed", None)
    except RerankError:
        return row(label, entry, progress)  # which meets it, too
    if not isinstance(first, int):
        found = row(label, entry, progress)
        return replace(found, notes=(*found.notes, ONCE)) if found.metrics else found
    rows: dict[int, Row] = {}
    for number, seed in enumerate(range(first, first + count), 1):
        one = entry.overridden({"training": {"seed": seed}}, f"reranker {label!r}: training")
        rows[seed] = row(label, one, Prefixed(progress, f"seed {number} of {count}, "))
        if not rows[seed].metrics:  # nothing more is spent on it
            break
    return pooled_seeds(rows)


def pooled_seeds(rows: Mapping[int, Row]) -> Row:
    """One row of at least two seeds': a query's value is the mean over the seeds, and so is every other figure but
    those of the trainings' weights. The intervals are over queries and seeds (`significance.errors`).

    What failed with one seed has failed: there is no mean over fewer.
    """
    for seed, row in rows.items():
        if row.failure:
            return Row(row.reranker, failure=f"seed {seed}: {row.failure}", traceback=row.traceback)
        if row.skipped:
            return row
    parts = {f"seed {seed}": row for seed, row in rows.items()}
    every = list(rows.values())
    first = every[0]
    leading = next(iter(first.metrics))
    values = {metric: np.array([row.per_query[metric] for row in every]) for metric in first.per_query}
    spread = {metric: components(of_metric) for metric, of_metric in values.items()}
    trainings = [row.train_seconds for row in every if row.train_seconds is not None]
    timed = [row.pairs_per_second for row in every if row.pairs_per_second]
    return Row(
        reranker=first.reranker,
        state=", ".join(dict.fromkeys(row.state for row in every)),
        notes=(_told(list(rows), leading, spread[leading]), *merged({part: row.notes for part, row in parts.items()})),
        metrics={metric: _interval(of_metric) for metric, of_metric in values.items()},
        diagnostics=diagnostics(every, [1] * len(every)),
        train_seconds=fmean(trainings) if trainings else None,
        train_timed_on=conditions([row.train_timed_on for row in every]),
        ms_per_query=fmean(row.ms_per_query for row in every),
        pairs_per_second=len(timed) / sum(1 / rate for rate in timed) if timed else 0.0,
        timed_on=conditions([row.timed_on for row in every]),
        parameters=first.parameters,
        trainable=first.trainable,
        weights=tuple(one for row in every for one in row.weights),
        scores_from_store=all(row.scores_from_store for row in every),
        per_query={metric: tuple(of_metric.mean(axis=0).tolist()) for metric, of_metric in values.items()},
        verdict=verdict(every),
        findings=findings(parts),
        chosen=tuple(map(sum, zip_longest(*(row.chosen for row in every), fillvalue=0))),
        seeds=tuple(Seed(seed, row.per_query) for seed, row in rows.items()),
        spread=spread,
    )


def components(values: Array) -> Spread:
    """Of values, (seeds, queries): the standard deviations between queries, between seeds, and of what is left, by the
    mean squares of a crossed design without replication; a variance that would be below 0 is 0. Source: Searle, Casella
    & McCulloch 1992, "Variance components", 4.
    """
    k, n = values.shape
    of_seeds, of_queries, mean = values.mean(axis=1), values.mean(axis=0), values.mean()
    left = values - of_seeds[:, None] - of_queries + mean
    if n == 1:
        return Spread(0.0, float(of_seeds.std(ddof=1)), 0.0)
    rest = float((left**2).sum()) / ((k - 1) * (n - 1))
    seeds = max(0.0, float(of_seeds.var(ddof=1)) - rest / n)
    queries = max(0.0, float(of_queries.var(ddof=1)) - rest / k)
    return Spread(queries**0.5, seeds**0.5, rest**0.5)


def _interval(values: Array) -> Interval:
    means = values.mean(axis=1)
    low, high = limits(values.mean(axis=0), MEANS, [tuple(means.tolist())])
    return Interval(float(values.mean()), float(low), float(high))


def _told(seeds: Sequence[int], metric: str, spread: Spread) -> str:
    return (
        f"{len(seeds)} seeds, {seeds[0]} to {seeds[-1]}: {metric} differs between seeds by {spread.seeds:.3f}, between "
        f"queries by {spread.queries:.3f} (standard deviations)"
    )
