"""Uncertainty: percentile bootstrap over queries (Efron 1979; for retrieval, Sakai 2006), paired across systems.

Every interval and every comparison of a data set uses the same seeded resamples of its queries, so that two systems
are always resampled together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
BLOCK = 500
SEED = 20_240_607
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over queries and the 95 % interval of that mean."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """System minus baseline: the mean over queries, its 95 % interval, and the two-sided bootstrap p-value of no
    difference, (1 + 2·min(#≤0, #≥0) capped at B) / (B + 1)."""

    mean: float
    low: float
    high: float
    p: float


def interval(values: Sequence[float]) -> Interval:
    """The bootstrap interval of the mean of one value a query."""
    low, high = _percentiles(_means(values))
    return Interval(float(np.mean(values)), low, high)


def t_interval(means: Sequence[float]) -> Interval:
    """The mean of at least two means, of folds or seeds, and its 95 % Student t interval: m ± t(0.975, k - 1) · s / √k.
    Folds share training data, so theirs is approximate: their variance has no unbiased estimate (Bengio & Grandvalet
    2004)."""
    from scipy.special import stdtrit

    reach = float(stdtrit(len(means) - 1, (1 + LEVEL) / 2)) * stdev(means) / len(means) ** 0.5
    return Interval(fmean(means), fmean(means) - reach, fmean(means) + reach)


def difference(values: Sequence[float], baseline: Sequence[float]) -> Difference:
    """The paired difference of two systems on the same queries.

    Raises:
        ValueError: they do not hold the same number of queries.
    """
    if len(values) != len(baseline):
        raise ValueError(f"{len(values)} values against {len(baseline)}: a paired comparison needs the same queries")
    gaps = np.asarray(values, dtype=np.float64) - np.asarray(baseline, dtype=np.float64)
    means = _means(gaps)
    low, high = _percentiles(means)
    tail = min(int((means <= 0).sum()), int((means >= 0).sum()))
    p = min(1.0, (1 + 2 * tail) / (RESAMPLES + 1))
    return Difference(float(gaps.mean()), low, high, p)


def wilson(successes: int, trials: int) -> Interval:
    """A share and its 95 % Wilson score interval, which stays within 0 and 1 and is no single point where all trials
    agree: (p + z²/2n ± z √(p (1 - p) / n + z²/4n²)) / (1 + z²/n). Source: Wilson 1927, "Probable inference, the law of
    succession, and statistical inference".
    """
    share, z = successes / trials, NormalDist().inv_cdf((1 + LEVEL) / 2)
    middle = share + z * z / (2 * trials)
    reach = z * (share * (1 - share) / trials + z * z / (4 * trials * trials)) ** 0.5
    scale = 1 + z * z / trials
    return Interval(share, max((middle - reach) / scale, 0.0), min((middle + reach) / scale, 1.0))


def _means(values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    generator = np.random.default_rng(SEED)
    # block by block, so that the resamples of many thousand queries fit into memory
    return np.concatenate(
        [
            array[generator.integers(0, len(array), size=(BLOCK, len(array)))].mean(axis=1)
            for _ in range(RESAMPLES // BLOCK)
        ]
    )


def _percentiles(means: NDArray[np.float64]) -> tuple[float, float]:
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)
