"""The best of what was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def with_ties(values: NDArray[np.float32], depth: int) -> NDArray[Any]:
    """The places of the best `depth` values and of all that tie with the last of them, in no order but their own."""
    if len(values) <= depth:
        return np.arange(len(values))
    return np.flatnonzero(values >= np.partition(values, -depth)[-depth])


def best_first(scores: Mapping[str, float]) -> list[str]:
    """Ids as trec_eval orders a run: by score in 32 bits, ties by descending id."""
    held = {id_: -float(np.float32(score)) for id_, score in scores.items()}
    return sorted(sorted(scores, reverse=True), key=held.__getitem__)
