"""Randomisation tests by signs: if two systems did not differ, each query's difference could as well have the other
sign. p is the share of signs under which the sum of the differences is as far from 0 as it is, or farther (Fisher 1935;
for retrieval, Smucker et al. 2007)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import hadamard

EXACT = 20
"""Differences other than 0 up to which all their signs are tried."""
BITS = 17
"""Of more, 2^17 signs are tried, or as many as there are queries."""
SEED = 20_240_607
ROUNDING = 1e-12
"""Two values of a metric that are nearer than this are equal."""

Array = NDArray[np.float64]


class Flipped:
    """Several systems on the same queries, all under the same signs: the sum of a difference under a sign is the
    difference of two sums, so that a pair costs no more than a subtraction."""

    def __init__(self, values: Array) -> None:
        """`values`: (systems, queries)."""
        self._values = values
        self._sums: Array | None = None  # (systems, signs), which a pair that differs on few queries needs none of

    def p(self, system: int, baseline: int) -> float:
        gaps = differences(self._values[system], self._values[baseline])
        if np.count_nonzero(gaps) <= EXACT:
            return float(sign_flip_p(gaps, gaps.sum(keepdims=True))[0])
        if self._sums is None:
            self._sums = signed_sums(self._values)
        flipped = self._sums[system] - self._sums[baseline]
        return float(_share(flipped, gaps.sum(keepdims=True), len(gaps))[0])


def differences(values: Array, baseline: Array) -> Array:
    """One a query; 0 where only rounding differs."""
    gaps = values - baseline
    gaps[np.abs(gaps) <= ROUNDING] = 0.0
    return gaps


def sign_flip_p(gaps: Array, sums: Array) -> Array:
    """The two-sided p of each of the sums (any shape) among the sums of these differences, (n,), under all signs.

    Differences of 0 have no sign. Of up to 20 others all signs are tried, and p is exact; of more, those of
    `signed_sums`. Sums that differ by rounding count as equal.
    """
    others = gaps[np.abs(gaps) > ROUNDING]
    flipped = _all_signs(others) if len(others) <= EXACT else signed_sums(gaps)
    return _share(flipped, sums, len(gaps))


def signed_sums(values: Array) -> Array:
    """The sums of these values under 2^17 signs, or more than there are values: (…, n) in, (…, 2^bits) out.

    The signs are the rows of a Hadamard matrix (of Sylvester's kind), each value having a column drawn by a seed.
    Multiplied with each other they give each other, so that they are a subgroup of all signs; hence p among them is
    valid, P(p ≤ α) ≤ α, as it is among all, and it is the same for whoever asks (Koning & Hemerik 2024, "More efficient
    exact group invariance testing: using a representative subgroup"). Column 0, which never changes sign, is nobody's.
    As H of 2^(a + b) is the Kronecker product of those of 2^a and 2^b, all sums together cost two small matrix
    products, and no matrix of signs by queries is ever there.
    """
    n = values.shape[-1]
    bits = max(BITS, n.bit_length())
    columns = np.random.default_rng(SEED).permutation(2**bits - 1)[:n] + 1
    rows, others = 2 ** (bits - bits // 2), 2 ** (bits // 2)
    placed = np.zeros((*values.shape[:-1], 2**bits))
    placed[..., columns] = values
    matrices = placed.reshape(*values.shape[:-1], rows, others)
    sums = hadamard(rows, np.float64) @ matrices @ hadamard(others, np.float64)
    return np.asarray(sums.reshape(placed.shape))


def _all_signs(gaps: Array) -> Array:
    """The sums of these differences under all signs, (2^n,)."""
    sums = np.zeros(1)
    for gap in gaps:
        sums = np.concatenate((sums - gap, sums + gap))
    return sums


def _share(flipped: Array, sums: Array, n: int) -> Array:
    """How many of the flipped sums are as far from 0 as each of the sums; never none, for the given signs are among
    them. Each of n differences is what it is within rounding."""
    nearer = np.searchsorted(np.sort(np.abs(flipped)), np.abs(sums) - n * ROUNDING)
    return np.asarray(np.maximum(len(flipped) - nearer, 1) / len(flipped))
