"""How good scores are as probabilities of relevance: arrays in, numbers out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import rankdata

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]

BINS = 15
"""Of the expected calibration error (Guo et al. 2017, arXiv:1706.04599)."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Pairs whose probability lies in (low, high], 0 being in the first bin: how many, their mean probability, and the
    share of them that is relevant. Both means are 0 where there are none."""

    low: float
    high: float
    count: int
    mean: float
    relevant: float


def auroc(scores: Floats, labels: Labels) -> float:
    """Area under the ROC curve: how often a positive scores above a negative; ties count half (Mann & Whitney 1947).
    NaN where there is but one class."""
    positives, negatives = int(labels.sum()), int((~labels).sum())
    if not positives or not negatives:
        return float("nan")
    above = rankdata(scores)[labels].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def brier(probabilities: Floats, labels: Labels) -> float:
    """Mean squared distance from 1 of the relevant and from 0 of the others (Brier 1950)."""
    return float(np.mean((probabilities - labels) ** 2))


def reliability(probabilities: Floats, labels: Labels, edges: Sequence[float] | None = None) -> list[Bin]:
    """The table of a reliability diagram; `edges`: of the bins, else `BINS` of equal width from 0 to 1."""
    bounds = np.linspace(0, 1, BINS + 1) if edges is None else np.asarray(edges, dtype=np.float64)
    place = np.clip(np.searchsorted(bounds, probabilities, side="left") - 1, 0, len(bounds) - 2)
    counts = np.bincount(place, minlength=len(bounds) - 1)
    sums, hits = (np.bincount(place, weights=each, minlength=len(counts)) for each in (probabilities, labels))
    many = np.maximum(counts, 1)
    rows = zip(bounds[:-1], bounds[1:], counts, sums / many, hits / many, strict=True)
    return [Bin(float(low), float(high), int(n), float(mean), float(hit)) for low, high, n, mean, hit in rows]


def expected_error(bins: Sequence[Bin]) -> float:
    """The expected calibration error: |mean probability - share of relevant| of the bins, weighted by their pairs."""
    total = sum(one.count for one in bins)
    return sum(one.count * abs(one.mean - one.relevant) for one in bins) / max(total, 1)


def equal_mass(probabilities: Floats) -> list[float]:
    """Edges of `BINS` bins that hold as many pairs each, as far as equal probabilities allow: they stay together."""
    inner = np.unique(np.quantile(probabilities, np.linspace(0, 1, BINS + 1)[1:-1], method="inverted_cdf"))
    return [0.0, *inner[inner < probabilities.max(initial=0.0)].tolist(), 1.0]


def sigmoid(logits: Floats) -> Floats:
    return np.asarray(expit(logits), dtype=np.float64)
