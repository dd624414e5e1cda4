"""The gate that every scorer and reranker passes: what it says of itself, and whether its answers hold to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from rr.errors import PluginError, ScoringError
from rr.protocols import ModelInfo, Precision
from rr.rerank.agreement import kendall_tau
from rr.types import Request, Scale, State

BOUNDS: dict[str, tuple[float, float]] = {"probability": (0.0, 1.0), "cosine": (-1.0, 1.0)}
"""Where the scores of a scale lie."""
BEYOND: dict[str, float] = {"float32": 1e-5, "float16": 2e-3, "bfloat16": 2e-2}
"""How far past its bounds rounding may carry a score."""
ROUNDING: dict[str, float] = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 5e-2}
"""How far two computations of the same scores may differ, as a share of the largest of them: company changes the order
in which a sum is taken, and nothing else."""
LOGIT_ROUNDING = 1e-3
"""As a share of a probability near 0: the rounding of a logit of about ten."""
SMALL: dict[str, float] = {"float32": 1e-2, "float16": 1.0, "bfloat16": 1.0}
"""Scores are rounded like numbers of this size at least, being differences of larger ones. Not probabilities."""
AGREEMENT: dict[str, float] = {"float32": 0.98, "float16": 0.9, "bfloat16": 0.9}
"""Kendall's tau, where only the order counts: near ties may change places, one of them always."""
WINDOWED = ("windowed", "tournament")
"""Diagnostics that say of a ranking that its scores are places."""


def checked_info(info: Any, where: str = "info") -> ModelInfo:
    """`where`: what to call it in an error.

    Raises:
        PluginError: it is no `ModelInfo`, or a field of it says nothing that can be understood.
    """
    if not isinstance(info, ModelInfo):
        raise PluginError(f"{where} is {type(info).__name__}, not rr.ModelInfo")
    for name, known in (("scale", Scale), ("state", State), ("precision", Precision)):
        if getattr(info, name) not in get_args(known):
            raise PluginError(
                f"{where}.{name} is {getattr(info, name)!r}; it must be one of {', '.join(get_args(known))}"
            )
    most = info.max_candidates
    if most is not None and not whole(most):
        raise PluginError(f"{where}.max_candidates is {most!r}; it must be a whole number from 0 on, or None")
    for name in ("parameters", "trainable"):
        if not whole(getattr(info, name)):
            raise PluginError(f"{where}.{name} is {getattr(info, name)!r}; it must be a whole number from 0 on")
    if not isinstance(info.listwise, bool):
        raise PluginError(f"{where}.listwise is {info.listwise!r}; it must be True or False")
    if not isinstance(info.notes, tuple) or not all(isinstance(note, str) for note in info.notes):
        raise PluginError(f"{where}.notes is {info.notes!r}; it must be a tuple of texts")
    return info


def within_scale(request: Request, values: Sequence[float], info: ModelInfo) -> None:
    """
    Raises:
        ScoringError: a score that its scale does not have.
    """
    if info.scale not in BOUNDS:
        return
    low, high = BOUNDS[info.scale]
    slack = BEYOND[info.precision]
    for document, value in zip(request.candidates, values, strict=True):
        if not low - slack <= value <= high + slack:
            raise ScoringError(
                f"query {request.query.id!r}: document {document.id!r} scores {value:.6g}, and a {info.scale} lies "
                f"between {low:g} and {high:g}; correct the scores, or info.scale"
            )


def same_in_company(
    request: Request, alone: Mapping[str, float], others: Mapping[str, float], info: ModelInfo, shown: Sequence[str]
) -> None:
    """Compares two answers to one request (document id → score): asked alone, and among other requests. `shown`: the
    names of its diagnostics.

    Raises:
        ScoringError: they differ by more than rounding.
    """
    ids = [document.id for document in request.candidates]
    left, right = [alone[id_] for id_ in ids], [others[id_] for id_ in ids]
    if left == right:
        return
    gaps = [abs(one - other) for one, other in zip(left, right, strict=True)]
    largest = max(map(abs, (*left, *right)))
    if info.scale == "rank" or any(name in shown for name in WINDOWED):
        pairs = len(ids) * (len(ids) - 1) / 2
        # a scorer's own figures may tie; places never do
        differ = max(gaps) > ROUNDING[info.precision] * largest and (
            kendall_tau(left, right) < min(AGREEMENT[info.precision], 1 - 2 / max(pairs, 1)) - 1e-9
        )
    elif info.scale == "probability":
        differ = max(gaps) > (ROUNDING[info.precision] + LOGIT_ROUNDING) * largest
    else:
        differ = max(gaps) > ROUNDING[info.precision] * max(largest, SMALL[info.precision])
    if differ:
        worst = gaps.index(max(gaps))
        raise ScoringError(
            f"query {request.query.id!r}: document {ids[worst]!r} scores {left[worst]:.6g} when the query is asked "
            f"alone and {right[worst]:.6g} when it comes with others; a query's scores must not depend on which "
            "requests come together, nor on chance: switch dropout off (eval mode), seed what is random, mask what "
            "pads (half precision is said by info.precision)"
        )


def whole(value: Any) -> bool:
    """Whether it counts something."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
