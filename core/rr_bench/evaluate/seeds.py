"""Trainings that are repeated with several seeds, as one row: what differs between seeds is told apart from what
differs between queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np

from rr.errors import RerankError
from rr.registry.plugins import Plugins
from rr_bench.evaluate.asking import Bench
from rr_bench.evaluate.merging import Prefixed, common, diagnostics, findings, merged
from rr_bench.evaluate.results import Row, Seed, Spread
from rr_bench.evaluate.significance import MEANS, Interval, limits
from rr_bench.evaluate.signs import Array
from rr_bench.evaluate.validity import pooled_figures
from rr_bench.members import Part
from rr_bench.resolve import resolve
from rr_bench.train.trainers import training_settings

ONCE = "trained once: its trainer has no setting 'seed'"


def repeated(part: Part, bench: Bench, row: Callable[[Part, Bench], Row], count: int | None) -> Row:
    """The row of an entry, as `row` measures it; of one that the bench trains, or that is made of such, of `count`
    trainings, if that is asked for: with the seed of its own, and with those that follow."""
    try:
        once, seeded = variants(part, bench.plugins, count)
    except RerankError:
        return row(part, bench)  # which meets it, too
    if not seeded:
        one = row(part, bench)
        return replace(one, notes=(*one.notes, *once)) if one.metrics else one
    rows: dict[int, Row] = {}
    for number, (seed, variant) in enumerate(seeded.items(), 1):
        prefixed = Prefixed(bench.progress, f"seed {number} of {count}, ")
        rows[seed] = row(variant, replace(bench, progress=prefixed))
        if not rows[seed].metrics:  # nothing more is spent on it
            break
    pooled = pooled_seeds(rows)
    return replace(pooled, notes=(*pooled.notes, *once)) if pooled.metrics else pooled


def variants(part: Part, plugins: Plugins, count: int | None) -> tuple[tuple[str, ...], dict[int, Part]]:
    """What there is to say of those that are trained once all the same; and seed → the entry with that seed, of one
    that is to be trained `count` times. Raises RerankError: the settings of a trainer are wrong."""
    trained = [leaf for leaf in part.leaves if leaf.entry.trains]
    if count is None or not trained:
        return (), {}
    found = {leaf.name: _seed(leaf, plugins) for leaf in trained}
    once = tuple(f"{name}: {ONCE}" if part.members else ONCE for name, seed in found.items() if seed is None)
    first = {name: seed for name, seed in found.items() if seed is not None}
    if not first:
        return once, {}
    lowest = min(first.values())
    return once, {
        lowest + number: with_seeds(part, {name: seed + number for name, seed in first.items()})
        for number in range(count)
    }


def with_seeds(part: Part, seeds: Mapping[str, int]) -> Part:
    """The entry, whose trainings and whose members' have these."""
    if part.members:
        return replace(part, members=tuple(with_seeds(member, seeds) for member in part.members))
    if part.name not in seeds:
        return part
    training = {"training": {"seed": seeds[part.name]}}
    return replace(part, entry=part.entry.overridden(training, f"reranker {part.name!r}: training"))


def _seed(leaf: Part, plugins: Plugins) -> int | None:
    found = getattr(training_settings(plugins, resolve(plugins, leaf.name, leaf.entry)), "seed", None)
    return found if isinstance(found, int) else None


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
    prices = [row.dollars for row in every if row.dollars is not None]
    timed = [row.pairs_per_second for row in every if row.pairs_per_second]
    return Row(
        **common(every),
        notes=(_told(list(rows), leading, spread[leading]), *merged({part: row.notes for part, row in parts.items()})),
        metrics={metric: _interval(of_metric) for metric, of_metric in values.items()},
        diagnostics=diagnostics(every, [1] * len(every)),
        train_seconds=fmean(trainings) if trainings else None,
        ms_per_query=fmean(row.ms_per_query for row in every),
        pairs_per_second=len(timed) / sum(1 / rate for rate in timed) if timed else 0.0,
        per_query={metric: tuple(of_metric.mean(axis=0).tolist()) for metric, of_metric in values.items()},
        findings=findings(parts),
        ms_p95=fmean(row.ms_p95 for row in every),
        dollars=fmean(prices) if len(prices) == len(every) else None,
        validity=pooled_figures([row.validity for row in every], [1] * len(every)),
        faults=merged({part: row.faults for part, row in parts.items()}),
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
