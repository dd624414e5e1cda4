"""Whether a query is answered alike alone and among others: no score may depend on which requests come together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rr.errors import ScoringError
from rr.protocols import ModelInfo
from rr.types import Request
from rr_bench.permute import kendall_tau

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
    worst = differing(left, right, info, shown)
    if worst is not None:
        raise ScoringError(
            f"query {request.query.id!r}: document {ids[worst]!r} scores {left[worst]:.6g} when the query is asked "
            f"alone and {right[worst]:.6g} when it comes with others; a query's scores must not depend on which "
            "requests come together, nor on chance: switch dropout off (eval mode), seed what is random, mask what "
            "pads (half precision is said by info.precision)"
        )


def differing(left: Sequence[float], right: Sequence[float], info: ModelInfo, shown: Sequence[str]) -> int | None:
    """Of two scorings of the same candidates the place where they are farthest apart; None where that is no farther
    than rounding takes them. `shown`: as in `same_in_company`."""
    if left == right:
        return None
    gaps = [abs(one - other) for one, other in zip(left, right, strict=True)]
    largest = max(map(abs, (*left, *right)))
    if info.scale == "rank" or any(name in shown for name in WINDOWED):
        pairs = len(left) * (len(left) - 1) / 2
        # a scorer's own figures may tie; places never do
        differ = max(gaps) > ROUNDING[info.precision] * largest and (
            kendall_tau(left, right) < min(AGREEMENT[info.precision], 1 - 2 / max(pairs, 1)) - 1e-9
        )
    elif info.scale == "probability":
        differ = max(gaps) > (ROUNDING[info.precision] + LOGIT_ROUNDING) * largest
    else:
        differ = max(gaps) > ROUNDING[info.precision] * max(largest, SMALL[info.precision])
    return gaps.index(max(gaps)) if differ else None
