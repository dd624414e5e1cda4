"""The gate that every scorer and reranker passes: what it says of itself, and whether its answers hold to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from rr.errors import PluginError, ScoringError
from rr.protocols import ModelInfo, Precision
from rr.types import Request, Scale, State

BOUNDS: dict[str, tuple[float, float]] = {"probability": (0.0, 1.0), "cosine": (-1.0, 1.0)}
"""Where the scores of a scale lie."""
BEYOND: dict[str, float] = {"float32": 1e-5, "float16": 2e-3, "bfloat16": 2e-2}
"""How far past its bounds rounding may carry a score."""


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


def whole(value: Any) -> bool:
    """Whether it counts something."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
