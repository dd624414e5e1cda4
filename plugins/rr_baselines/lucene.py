"""BM25 as Lucene computes it (Robertson & Zaragoza 2009; Kamphuis et al. 2020, the variant "Lucene (accurate)"), with
the roundings of bm25s: its scores to the last bit, without its index, which holds every word of every document."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rr_baselines.settings import Bm25Settings


def rarity(holding: int, documents: int) -> np.float32:
    """The inverse document frequency of a term that so many of the documents hold."""
    return np.float32(math.log(1 + (documents - holding + 0.5) / (holding + 0.5)))


def impacts(
    known: np.float32,
    counts: NDArray[np.float64],
    lengths: NDArray[np.float64],
    average: float,
    settings: Bm25Settings,
) -> NDArray[np.float32]:
    """What a term of this rarity adds to documents of these lengths, in each of which it stands so often."""
    k1, b = settings.k1, settings.b
    found: NDArray[np.float32] = (known * (counts / (k1 * ((1 - b) + b * lengths / average) + counts))).astype(
        np.float32
    )
    return found
