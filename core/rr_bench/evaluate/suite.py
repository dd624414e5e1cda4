"""A whole suite: the mean of the leading metric over data sets, each counting alike, and how sure the ranks are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rr_bench.evaluate.results import DatasetResult, Row, SuiteMean
from rr_bench.evaluate.significance import LEVEL, MEANS, Interval, errors, reach
from rr_bench.evaluate.signs import ROUNDING, Array

RESAMPLES = 1_000
SEED = 20_240_607
AT_ONCE = 2_000_000
"""Weights of queries that are drawn at a time."""


def suite_means(datasets: Sequence[DatasetResult], metric: str) -> tuple[SuiteMean, ...]:
    """Of every reranker of a bench of at least two data sets, best first; behind them those that have no figures on one
    of these, a data set that failed among them: there is no mean over fewer.

    The interval takes the data sets as given and their queries (and seeds) as drawn: `significance.reach` of the data
    sets' squared standard errors, each divided by D². Ranks are those of `RESAMPLES` bootstrap samples
    of the queries within each data set (Efron 1979; for ranks, Goldstein & Spiegelhalter 1996, "League tables and their
    limitations"), the same ones for all rerankers, so that pairs stay pairs.
    """
    if len(datasets) < 2:
        return ()
    rows = {dataset.name: {row.reranker: row for row in dataset.rows if row.metrics} for dataset in datasets}
    names = dict.fromkeys(row.reranker for dataset in datasets for row in dataset.rows)
    missing = {name: tuple(dataset for dataset, having in rows.items() if name not in having) for name in names}
    complete = [name for name in names if not missing[name]]
    table = [[rows[dataset.name][name] for name in complete] for dataset in datasets]
    means = [_mean([of_dataset[place] for of_dataset in table], metric) for place in range(len(complete))]
    ranks = _ranks(np.array([[one.mean for one in means]]))[0] if complete else np.empty(0)
    low, high = _rank_limits(table, metric) if complete else (np.empty(0), np.empty(0))
    found = [
        SuiteMean(name, means[place], int(ranks[place]), int(low[place]), int(high[place]))
        for place, name in enumerate(complete)
    ]
    found.sort(key=lambda one: one.rank)
    return (*found, *(SuiteMean(name, missing=gone) for name, gone in missing.items() if gone))


def _mean(rows: Sequence[Row], metric: str) -> Interval:
    """Of one reranker's rows on all data sets."""
    parts = [
        (error / len(rows) ** 2, freedom)
        for row in rows
        for error, freedom in errors(np.array(row.per_query[metric]), row.seed_means(metric), MEANS)
    ]
    mean, far = sum(row.metrics[metric].mean for row in rows) / len(rows), reach(parts)
    return Interval(mean, max(mean - far, MEANS.low), min(mean + far, 1.0))


def _rank_limits(table: Sequence[Sequence[Row]], metric: str) -> tuple[Array, Array]:
    """The ends of 95 % of the ranks; `table`: data sets of rows."""
    sums = np.zeros((RESAMPLES, len(table[0])))
    for number, rows in enumerate(table):
        sums += _resampled(np.array([row.per_query[metric] for row in rows]), np.random.default_rng([SEED, number]))
    ranks = _ranks(sums)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(ranks, [tail, 1 - tail], axis=0, method="inverted_cdf")
    return low, high


def _resampled(values: Array, generator: np.random.Generator) -> Array:
    """The means of all rows, (rows, n), over each sample of the queries: (RESAMPLES, rows)."""
    n, means = values.shape[1], []
    size = max(1, AT_ONCE // n)
    for start in range(0, RESAMPLES, size):
        count = min(size, RESAMPLES - start)
        drawn = generator.integers(0, n, size=(count, n)) + n * np.arange(count)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=count * n).reshape(count, n)
        means.append(weights.astype(np.float64) @ values.T / n)
    return np.concatenate(means)


def _ranks(means: Array) -> Array:
    """1 + how many of the same line are better: (…, rows)."""
    return np.asarray(1 + (means[..., None, :] > means[..., :, None] + ROUNDING).sum(axis=-1))
