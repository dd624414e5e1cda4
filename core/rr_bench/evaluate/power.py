"""How small a difference a bench could have found."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from scipy.optimize import brentq
from scipy.special import nctdtr, stdtrit

POWER, ALPHA = 0.8, 0.05


def detectable(parts: Sequence[tuple[float, int]]) -> float:
    """The minimum detectable effect of a paired, two-sided t test: the smallest true mean difference that is found with
    power .8 at .05, where the mean of the observed differences has these squared standard errors, each with its degrees
    of freedom (`significance.errors`). About (1.96 + 0.84) standard errors where these are many. Sources: Cohen 1988,
    "Statistical power analysis for the behavioral sciences", 2.3.5; for retrieval, Sakai 2014, "Designing test
    collections for comparing many systems". Of several parts, as of intervals, each has its own.
    """
    return float(sum(_noncentrality(freedom) ** 2 * error for error, freedom in parts) ** 0.5)


@functools.lru_cache(maxsize=1024)
def _noncentrality(freedom: int) -> float:
    """Of the noncentral t distribution that passes the upper critical value with the power asked for; it passes the
    lower one with less than 10^-5."""
    critical = float(stdtrit(freedom, 1 - ALPHA / 2))
    return float(brentq(lambda shift: float(nctdtr(freedom, shift, critical)) - (1 - POWER), 0.0, 1.4 * critical + 3.0))
