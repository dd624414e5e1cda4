"""What a score is told as: a number from 0 to 1, and what that number means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from rr.errors import ScoringError
from rr.protocols import ModelInfo
from rr.types import Ranking
from rr_bench.calibrate.kept import Calibration
from rr_bench.calibrate.probable import are_places

Told = Literal["probability", "sigmoid", "cosine", "rank"]
SAYS: dict[Told, str] = {
    "probability": "the probability that the document is relevant",
    "sigmoid": "the logistic function of the model's logit, which nothing has calibrated",
    "cosine": "(1 + cosine) / 2; no probability",
    "rank": "the share of the candidates that the document is not below; only the order means something",
}


def told_as(info: ModelInfo, calibration: Calibration | None) -> Told:
    """What the relevance scores of a model are, where its candidates fit at once."""
    if calibration is not None or info.scale == "probability":
        return "probability"
    if info.scale == "logit":
        return "sigmoid"
    return "cosine" if info.scale == "cosine" else "rank"


def relevance(ranking: Ranking, info: ModelInfo, calibration: Calibration | None) -> tuple[Told, list[float]]:
    """What its scores are told as, and one from 0 to 1 for each of its documents, best first; never higher for a
    document that scores lower.

    Raises:
        ScoringError: one is no number.
    """
    scores = [item.score for item in ranking.items]
    told: Told = "rank" if are_places(ranking) else told_as(info, calibration)
    if told == "rank":
        found = _shares(scores)
    elif calibration is not None:
        found = calibration.probabilities(scores)
    elif told == "sigmoid":
        found = [_sigmoid(score) for score in scores]
    else:
        found = scores if told == "probability" else [(1 + score) / 2 for score in scores]
    if not all(map(math.isfinite, found)):
        raise ScoringError(f"{sum(not math.isfinite(one) for one in found)} of {len(found)} scores are no numbers")
    return told, [min(max(one, 0.0), 1.0) for one in found]


def _shares(scores: Sequence[float]) -> list[float]:
    """1 for the best; equal ones have the same. `scores`: falling."""
    shares: list[float] = []
    for place, score in enumerate(scores):
        tied = place > 0 and score == scores[place - 1]
        shares.append(shares[-1] if tied else 1 - place / len(scores))
    return shares


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
