"""Uncertainty over queries: Student t intervals, sign-flip randomisation tests, Holm's correction, and the signs that
an interval rests on too little.

The values are a metric's, one a query, from 0 to 1, and paired differences from -1 to 1. Arrays are (…, n), n queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

LEVEL = 0.95
EXACT = 20
"""Differences other than 0 up to which all their signs are tried."""
FLIPS = 100_000
"""Random signs of more differences."""
CHUNK = 12
"""Differences whose signs are drawn as one number, the index of their sum among all 2^12."""
SEED = 20_240_607
ROUNDING = 1e-12
"""Two values of a metric that are nearer than this are equal."""
FEW_QUERIES, FEW_OTHERS = 30, 10
SKEWED = 40
"""An interval needs so many times skewness² queries. Cochran (1977, "Sampling Techniques", 2.15) has 25, for at most
6 % misses, where the skewness is the population's own; that of a sample is less. benchmarks/inference.py holds it."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scale:
    """What values can be, from `low` to 1."""

    low: float
    added: tuple[float, ...]
    """To values that are all at the ends of the scale, or 0: the t interval of so many ones would be a single point,
    as if a 0 were impossible. Sources: Agresti & Coull 1998, "Approximate is better than 'exact'", for shares; Bonett &
    Price 2012, "Adjusted Wald confidence interval for a difference of binomial proportions based on paired data"."""
    unseen: tuple[float, ...]
    """What the skewness must bear besides: the rare value that a sample happens not to have."""


MEANS = Scale(0.0, (0.0, 0.0, 1.0, 1.0), (0.0, 1.0))
DIFFERENCES = Scale(-1.0, (-1.0, 1.0), ())


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over queries and the 95 % interval of that mean."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """System minus baseline: the mean over queries, its 95 % interval, and the two-sided p-value of no difference."""

    mean: float
    low: float
    high: float
    p: float
    p_holm: float | None = None
    """`p` as it stands among all comparisons of a bench (Holm 1979); None where it is not of a bench."""
    caution: str = ""
    """Why interval and p rest on little, if they do."""


def interval(values: Sequence[float]) -> Interval:
    """The mean of one value a query, and its t interval.

    Raises:
        ValueError: there is no value, or one that is not finite.
    """
    array = _checked(values)
    low, high = limits(array, MEANS)
    return Interval(float(array.mean()), float(low), float(high))


def t_interval(means: Sequence[float]) -> Interval:
    """The mean of at least two means, of folds or seeds, and its 95 % Student t interval: m ± t(0.975, k - 1) · s / √k.
    Folds share training data, so theirs is approximate: their variance has no unbiased estimate (Bengio & Grandvalet
    2004)."""
    reach = float(stdtrit(len(means) - 1, (1 + LEVEL) / 2)) * stdev(means) / len(means) ** 0.5
    return Interval(fmean(means), fmean(means) - reach, fmean(means) + reach)


def difference(values: Sequence[float], baseline: Sequence[float]) -> Difference:
    """The paired difference of two systems on the same queries: its t interval, and the p of a randomisation test.

    Raises:
        ValueError: they do not hold the same number of queries, or none, or a value that is not finite.
    """
    if len(values) != len(baseline):
        raise ValueError(f"{len(values)} values against {len(baseline)}: a paired comparison needs the same queries")
    gaps = _checked(values) - _checked(baseline)
    gaps[np.abs(gaps) <= ROUNDING] = 0.0
    low, high = limits(gaps, DIFFERENCES)
    p = sign_flip_p(gaps, gaps.sum(keepdims=True))[0]
    return Difference(float(gaps.mean()), float(low), float(high), float(p), caution=caution(gaps, DIFFERENCES))


def limits(values: Array, scale: Scale) -> tuple[Array, Array]:
    """The ends of the 95 % interval of each mean: (…, n) in, (…) and (…) out.

    It is m ± t(0.975, n - 1) · s / √n, as far as the scale goes: of one value, the whole scale. Where all values are
    at its ends, or 0, as those of Hit@k are, it is that of these and the scale's `added` ones, which is wider: it is
    never a single point, and a share's covers as often as it says.
    """
    low, high = _student(values)
    if (ends := _at_ends(values)).any():
        wider = _student(_with(values, scale.added))
        low, high = np.where(ends, wider[0], low), np.where(ends, wider[1], high)
    return np.maximum(low, scale.low), np.minimum(high, 1.0)


def sign_flip_p(gaps: Array, sums: Array) -> Array:
    """The two-sided p of each of the sums (any shape) among the sums of these differences under all signs: the share
    of signs that give a sum as far from 0, or farther (Fisher 1935; for retrieval, Smucker et al. 2007).

    Differences of 0 have no sign. Of up to 20 others all signs are tried, and p is exact; of more 100,000 random ones,
    seeded, and p = (1 + as far) / (1 + all), which is valid too (Phipson & Smyth 2010). Sums count as equal within
    rounding.
    """
    gaps = gaps[np.abs(gaps) > ROUNDING]
    if len(gaps) <= EXACT:
        flipped, given = _all_signs(gaps), 0
    else:
        flipped, given = _random_signs(gaps), 1
    slack = ROUNDING * np.abs(gaps).sum()
    nearer = np.searchsorted(np.sort(np.abs(flipped)), np.abs(sums) - slack)
    return np.asarray((given + len(flipped) - nearer) / (given + len(flipped)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p as it stands among all: in ascending order the i-th of m is multiplied by m - i + 1, and is no less than
    the one before it, nor more than 1. Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    corrected, largest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        corrected[index] = largest
    return corrected


def caution(values: Array, scale: Scale) -> str:
    """Why the interval of so many values rests on little, empty where it does not; that there are fewer than 30 is
    for the whole data set to say (`few_queries`)."""
    n = len(values)
    if scale is DIFFERENCES and (others := int((np.abs(values) > ROUNDING).sum())) < FEW_OTHERS:
        return f"only {others} of {n} differences are not 0"
    if n < FEW_QUERIES:
        return ""
    if _few_others(values):
        return f"fewer than {FEW_OTHERS} of {n} values differ from the others"
    return "skewed values, the interval may be too narrow" if _skewed(values, scale) else ""


def few_queries(n: int) -> str:
    return f"{n} queries, fewer than {FEW_QUERIES}: intervals and p rest on little" if n < FEW_QUERIES else ""


def doubtful(values: Array, scale: Scale) -> NDArray[np.bool_]:
    """Whether `few_queries` or `caution` has something to say: (…, n) in, (…) out."""
    if values.shape[-1] < FEW_QUERIES:
        return np.ones(values.shape[:-1], dtype=np.bool_)
    return np.asarray(_few_others(values) | _skewed(values, scale))


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


def _checked(values: Sequence[float]) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if not len(array) or not np.isfinite(array).all():
        raise ValueError("an interval is of one value or more, all of them finite")
    return array


def _student(values: Array) -> tuple[Array, Array]:
    n, means = values.shape[-1], values.mean(axis=-1)
    if n == 1:
        return np.full_like(means, -np.inf), np.full_like(means, np.inf)
    reach = stdtrit(n - 1, (1 + LEVEL) / 2) * values.std(axis=-1, ddof=1) / n**0.5
    return means - reach, means + reach


def _with(values: Array, others: Sequence[float]) -> Array:
    return np.concatenate((values, np.broadcast_to(others, (*values.shape[:-1], len(others)))), axis=-1)


def _at_ends(values: Array) -> NDArray[np.bool_]:
    return np.asarray(((values == 0) | (np.abs(values) == 1)).all(axis=-1))


def _few_others(values: Array) -> NDArray[np.bool_]:
    """Whether all but nine at most are equal: of the sorted values, some n - 9 in a row."""
    ordered, run = np.sort(values, axis=-1), values.shape[-1] - FEW_OTHERS + 1
    return np.asarray((ordered[..., run - 1 :] - ordered[..., :FEW_OTHERS] <= ROUNDING).any(axis=-1))


def _skewed(values: Array, scale: Scale) -> NDArray[np.bool_]:
    """Whether a t interval needs more values than these. Those at the ends of the scale have an interval of their
    own, which does not."""
    largest = np.maximum(_skewness(values) ** 2, _skewness(_with(values, scale.unseen)) ** 2)
    return np.asarray((values.shape[-1] < SKEWED * largest) & ~_at_ends(values))


def _skewness(values: Array) -> Array:
    """Fisher's G1, 0 where all values are equal."""
    n, gaps = values.shape[-1], values - values.mean(axis=-1, keepdims=True)
    squares = gaps * gaps
    spread, third = squares.mean(axis=-1), (squares * gaps).mean(axis=-1)
    varied = spread > ROUNDING**2
    ratio = third / np.where(varied, spread, 1.0) ** 1.5
    return np.asarray(np.where(varied, ratio, 0.0) * (n * (n - 1)) ** 0.5 / (n - 2))


def _all_signs(gaps: Array) -> Array:
    """The sums of these differences under all signs, (2^n,)."""
    sums = np.zeros(1)
    for gap in gaps:
        sums = np.concatenate((sums - gap, sums + gap))
    return sums


def _random_signs(gaps: Array) -> Array:
    """The sums of these differences under random signs, (FLIPS,): chunk by chunk, so that memory does not grow with
    the differences."""
    generator, sums = np.random.default_rng(SEED), np.zeros(FLIPS)
    for start in range(0, len(gaps), CHUNK):
        of_chunk = _all_signs(gaps[start : start + CHUNK])
        sums += of_chunk[generator.integers(0, len(of_chunk), size=FLIPS, dtype=np.uint16)]
    return sums
