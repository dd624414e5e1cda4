"""How far the answers to several orders of the same candidates agree."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations


def kendall_tau(left: Sequence[float], right: Sequence[float]) -> float:
    """Kendall's tau-b of two score lists over the same n candidates, in O(n²).

    Over all pairs i, j: Σ sign(left_i - left_j) · sign(right_i - right_j), divided by √(L · R), where L and R count the
    pairs that left and right do not tie. 1: the same order; -1: the reverse; 0 where either ties everything, which
    agrees with no order. Source: Kendall 1945, "The treatment of ties in ranking problems".

    Raises:
        ValueError: the lists differ in length.
    """
    if len(left) != len(right):
        raise ValueError(f"{len(left)} scores against {len(right)}: tau needs the same candidates")
    import numpy as np  # here, for `rr list` needs none of this

    a, b = (np.sign(np.subtract.outer(values, values)) for values in map(np.asarray, (left, right)))
    untied = float((a * a).sum() * (b * b).sum())
    return float((a * b).sum()) / untied**0.5 if untied else 0.0


def mean_tau(answers: Sequence[Sequence[float]]) -> float:
    """The mean of `kendall_tau` over all pairs of answers (k answers, n scores each); 1 where there is one answer
    only, which nothing disagrees with."""
    pairs = list(combinations(answers, 2))
    return sum(kendall_tau(left, right) for left, right in pairs) / len(pairs) if pairs else 1.0
