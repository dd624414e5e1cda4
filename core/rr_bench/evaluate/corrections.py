"""p-values as they stand among all that were asked together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate


def holm(p_values: Sequence[float]) -> list[float]:
    """For the chance of any false finding in the family: in ascending order the i-th of m is multiplied by m - i + 1,
    and is no less than the one before it, nor more than 1. Source: Holm 1979, "A simple sequentially rejective multiple
    test procedure".

    Raises:
        ValueError: a p is not between 0 and 1, or NaN.
    """
    order, m = _ascending(p_values), len(p_values)
    steps = [(m - place) * p_values[index] for place, index in enumerate(order)]
    return _placed(order, accumulate((min(1.0, step) for step in steps), max))


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """For the expected share of false findings among the findings: in ascending order the i-th of m is multiplied by
    m / i, and is no more than the one behind it, nor than 1. Source: Benjamini & Hochberg 1995, "Controlling the false
    discovery rate"; it holds for independent tests and for positively dependent ones, as those against one baseline are
    (Benjamini & Yekutieli 2001).

    Raises:
        ValueError: a p is not between 0 and 1, or NaN.
    """
    order, m = _ascending(p_values)[::-1], len(p_values)
    steps = [m / (m - place) * p_values[index] for place, index in enumerate(order)]
    return _placed(order, accumulate((min(1.0, step) for step in steps), min))


def _ascending(p_values: Sequence[float]) -> list[int]:
    if not all(0 <= p <= 1 for p in p_values):  # NaN neither
        raise ValueError("a p-value is a number from 0 to 1")
    return sorted(range(len(p_values)), key=p_values.__getitem__)


def _placed(order: Sequence[int], values: Iterable[float]) -> list[float]:
    return [value for _, value in sorted(zip(order, values, strict=True))]
