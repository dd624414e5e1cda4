"""Uncertainty over queries: Student t intervals, paired differences with p and effect size, and the signs that an
interval rests on too little.

The values are a metric's, one a query, from 0 to 1, and paired differences from -1 to 1. Arrays are (…, n), n queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import stdtrit

from rr_bench.evaluate.power import detectable
from rr_bench.evaluate.signs import ROUNDING, Array, differences, sign_flip_p

LEVEL = 0.95
FEW_QUERIES, FEW_OTHERS = 30, 10
SKEWED = 40
"""An interval needs so many times skewness² queries. Cochran (1977, "Sampling Techniques", 2.15) has 25, for at most
6 % misses, where the skewness is the population's own; that of a sample is less. benchmarks/inference.py holds it."""

Means = Sequence[float]
"""Of the seeds of one training that was repeated."""
Error = tuple[float, int]
"""A part of the squared standard error of a mean, and its degrees of freedom."""
TINY = 1e-12
"""No p of a t is computed below."""


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
    p_bh: float | None = None
    """`p` as it stands among all comparisons of a bench (Benjamini & Hochberg 1995), likewise."""
    d_z: float | None = None
    """The effect size: the mean of the differences over their standard deviation (Cohen 1988, "Statistical power
    analysis", 2.3.5; d_z of Lakens 2013). None where it is no number; `d_z_note` says why."""
    d_z_note: str = ""
    wins: int = 0
    """Queries on which the system is better, …"""
    ties: int = 0
    losses: int = 0
    detectable: float | None = None
    """The minimum detectable effect: the smallest true difference that so many queries, differing as these do, would
    have found with power .8 at .05, two-sided. None where nothing differs, or there is one query."""


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
    gaps = differences(_checked(values), _checked(baseline))
    return described(gaps, float(sign_flip_p(gaps, gaps.sum(keepdims=True))[0]))


def described(gaps: Array, p: float, seeds: Sequence[Means] = ()) -> Difference:
    """All that is said of differences, one a query, of which `p` is that of a randomisation test. `seeds`: of each of
    the two systems whose training was repeated. Interval and p are then over seeds, too: p is the largest level at
    which the interval (`reach`) holds 0, if that is larger."""
    mean, (low, high) = float(gaps.mean()), limits(gaps, DIFFERENCES, seeds)
    parts = errors(gaps, seeds)
    if len(parts) > 1:
        p = max(p, _level(parts, abs(mean)))
    d_z, note = _effect(gaps)
    wins, losses = int((gaps > 0).sum()), int((gaps < 0).sum())
    return Difference(
        mean=mean,
        low=float(low),
        high=float(high),
        p=p,
        caution=caution(gaps, DIFFERENCES),
        d_z=d_z,
        d_z_note=note,
        wins=wins,
        ties=len(gaps) - wins - losses,
        losses=losses,
        detectable=detectable(parts) if 0 < sum(error for error, _ in parts) < np.inf else None,
    )


def errors(values: Array, seeds: Sequence[Means] = (), scale: Scale | None = None) -> list[Error]:
    """Where the mean of these values, one a query, may err: over queries, s² / n. Where trainings were repeated, a
    value is a query's mean over their seeds, and both are drawn: over the seeds of each of them, s² / k of their means,
    too, if it is not 0. What a seed does to single queries counts twice, so that their sum is, in the mean, never less
    than the true one. Given a `scale`, values that are all at its ends have its `added` ones, as in `limits`."""
    if scale is not None and _at_ends(values):
        values = _with(values, scale.added)
    n = len(values)
    of_queries = (float(values.var(ddof=1)) / n if n > 1 else np.inf, n - 1)
    return [of_queries, *((_spread(means) / len(means), len(means) - 1) for means in seeds if _spread(means))]


def reach(parts: Sequence[Error], level: float = LEVEL) -> float:
    """From a mean to either end of its interval: √ Σ t(df)² · e², each part of the error with the t of its own degrees
    of freedom. One part alone has Student's interval; several are covered as often as said, or more (Howe 1974,
    "Approximate confidence limits on the mean of X + Y"), where Satterthwaite's degrees of freedom are too many for two
    or three seeds; `tests/bench/test_seeds.py` holds it."""
    if any(error == np.inf for error, _ in parts):
        return np.inf
    return float(sum(stdtrit(freedom, (1 + level) / 2) ** 2 * error for error, freedom in parts) ** 0.5)


def limits(values: Array, scale: Scale, seeds: Sequence[Means] = ()) -> tuple[Array, Array]:
    """The ends of the 95 % interval of each mean: (…, n) in, (…) and (…) out.

    It is m ± t(0.975, n - 1) · s / √n, as far as the scale goes: of one value, the whole scale. Where all values are
    at its ends, or 0, as those of Hit@k are, it is that of these and the scale's `added` ones, which is wider: it is
    never a single point, and a share's covers as often as it says. Of values, (n,), of trainings that were repeated, it
    is m ± `reach`; where seeds change no mean, it is as ever.
    """
    if len(parts := errors(values, seeds) if seeds else []) > 1:
        low, high = values.mean() - reach(parts), values.mean() + reach(parts)
    else:
        low, high = _student(values)
        if (ends := _at_ends(values)).any():
            wider = _student(_with(values, scale.added))
            low, high = np.where(ends, wider[0], low), np.where(ends, wider[1], high)
    return np.maximum(low, scale.low), np.minimum(high, 1.0)


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


def _spread(means: Means) -> float:
    """Their variance; 0 where they differ by rounding."""
    found = float(np.var(means, ddof=1))
    return found if found > ROUNDING**2 else 0.0


def _level(parts: Sequence[Error], distance: float) -> float:
    """The p at which `reach` is the distance of the mean from 0."""
    if reach(parts, 1 - TINY) < distance:
        return TINY
    return float(brentq(lambda p: reach(parts, 1 - p) - distance, TINY, 1.0))


def _effect(gaps: Array) -> tuple[float | None, str]:
    """d_z, or why it is no number."""
    if not gaps.any():
        return 0.0, ""
    if len(gaps) == 1:
        return None, "one query has no standard deviation"
    spread = float(gaps.std(ddof=1))
    if spread <= ROUNDING:
        return None, "infinite: the differences of all queries are equal"
    return float(gaps.mean()) / spread, ""
