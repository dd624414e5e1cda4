"""Maps from a score to the probability of relevance, fitted to scores with labels. Both never fall as the score grows,
so that no ranking changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from scipy.optimize import isotonic_regression, minimize

from rr.errors import RerankError
from rr.types import Scale
from rr_bench.calibrate.figures import Floats, Labels, sigmoid

Method = Literal["isotonic", "platt"]
METHODS: tuple[Method, ...] = get_args(Method)
SATURATED = 2.0**-24
"""How near to 0 and 1 a probability is told from them in 32 bits."""


def coordinate(scores: Floats, scale: Scale) -> Floats:
    """What a map is fitted on: the log-odds of a probability, any other score as it is."""
    if scale != "probability":
        return scores
    held = np.clip(scores, SATURATED, 1 - SATURATED)
    return np.asarray(np.log(held / (1 - held)), dtype=np.float64)


@dataclass(frozen=True)
class Platt:
    """σ(slope · x + intercept), slope above 0."""

    slope: float
    intercept: float

    @classmethod
    def fit(cls, x: Floats, labels: Labels) -> Platt:
        """By maximum likelihood on Platt's targets, (n₊ + 1) / (n₊ + 2) and 1 / (n₋ + 2), which keep the slope finite
        where a score separates the two (Platt 1999, "Probabilistic outputs for support vector machines").

        Raises:
            RerankError: higher scores are not more often relevant.
        """
        positives, negatives = int(labels.sum()), int((~labels).sum())
        targets = np.where(labels, (positives + 1) / (positives + 2), 1 / (negatives + 2))
        centre, width = float(x.mean()), float(x.std()) or 1.0
        z = (x - centre) / width  # or the steps of the search would be of another size for every scorer

        def loss(at: Floats) -> tuple[float, Floats]:
            line = at[0] * z + at[1]
            gap = sigmoid(line) - targets
            value = np.logaddexp(0, line) - targets * line
            return float(value.mean()), np.array([(gap * z).mean(), gap.mean()])

        start = np.array([0.0, np.log((positives + 1) / (negatives + 1))])
        found = minimize(loss, start, jac=True, method="BFGS", options={"gtol": 1e-10}).x
        slope = float(found[0]) / width
        if not slope > 0:
            raise RerankError("higher scores are not more often relevant on dev: there is nothing to calibrate")
        return cls(slope, float(found[1]) - slope * centre)

    def __call__(self, x: Floats) -> Floats:
        return sigmoid(self.slope * x + self.intercept)


@dataclass(frozen=True)
class Isotonic:
    """Linear between the points (`x`, `y`), the first and the last `y` beyond them."""

    x: tuple[float, ...]
    y: tuple[float, ...]

    @classmethod
    def fit(cls, x: Floats, labels: Labels) -> Isotonic:
        """The non-decreasing step function nearest to the labels, by pooling adjacent violators (Zadrozny & Elkan
        2002); of each step its two ends are kept. Equal scores are one point.

        Raises:
            RerankError: it is one step: higher scores are not more often relevant.
        """
        points, place, counts = np.unique(x, return_inverse=True, return_counts=True)
        means = np.bincount(place, weights=labels) / counts
        steps = isotonic_regression(means, weights=counts.astype(np.float64)).x
        if steps[0] == steps[-1]:
            raise RerankError("higher scores are not more often relevant on dev: there is nothing to calibrate")
        ends = np.ones(len(points), dtype=bool)
        ends[1:-1] = (steps[1:-1] != steps[:-2]) | (steps[1:-1] != steps[2:])
        return cls(tuple(points[ends].tolist()), tuple(np.clip(steps[ends], 0, 1).tolist()))

    def __call__(self, x: Floats) -> Floats:
        return np.asarray(np.interp(x, self.x, self.y), dtype=np.float64)


FITS: Mapping[str, Any] = {"platt": Platt, "isotonic": Isotonic}
