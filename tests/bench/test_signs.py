"""The signs of a randomisation test: exact against scipy, one subgroup for all rows, valid by construction, fast."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.linalg import hadamard

from rr_bench.evaluate import signs
from rr_bench.evaluate.significance import difference
from rr_bench.evaluate.signs import BITS, Flipped, sign_flip_p, signed_sums

Array = NDArray[np.float64]


def scipys(gaps: Array) -> float:
    """On whole numbers, where rounding decides no tie (scipy's tolerance is another)."""
    whole = np.rint(gaps * 3 * 10**7)
    found = stats.permutation_test(
        (whole, np.zeros(len(whole))),
        lambda x, y, axis: (x - y).sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    return float(found.pvalue)


def drawn(kind: str, n: int, generator: np.random.Generator) -> tuple[Array, Array]:
    if kind == "all zero":
        return np.full(n, 1 / 3), np.full(n, 1 / 3)
    values = {
        "random": np.round(generator.random((2, n)), 6),
        "ties": generator.choice([0.0, 0.25, 1 / 3, 0.5, 1.0], (2, n)),
        "zeros": generator.random((2, n)) * (generator.random((2, n)) < 0.4),
    }[kind]
    return np.round(values[0], 6), np.round(values[1], 6)


@pytest.mark.parametrize("n", [2, 3, 5, 9, 12])
@pytest.mark.parametrize("kind", ["random", "ties", "zeros", "all zero"])
def test_p_is_scipys_exact_randomisation(kind: str, n: int) -> None:
    generator = np.random.default_rng(n)
    for _ in range(3):
        ours, theirs = drawn(kind, n, generator)
        expected = scipys(ours - theirs)
        assert difference(ours.tolist(), theirs.tolist()).p == pytest.approx(expected, abs=1e-12)
        assert Flipped(np.array([ours, theirs])).p(0, 1) == pytest.approx(expected, abs=1e-12)
        if kind == "all zero":
            assert expected == 1.0


def test_the_signs_are_a_subgroup_with_the_given_ones_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read off by one value at a time; multiplied with each other they are among themselves."""
    monkeypatch.setattr(signs, "BITS", 6)
    rows = signed_sums(np.eye(30)).T  # (signs, queries)
    assert set(np.unique(rows)) == {-1.0, 1.0}
    assert (rows[0] == 1).all()
    every = {tuple(row) for row in rows}
    assert all(tuple(one * other) in every for one in rows for other in rows)
    assert all(abs(column.sum()) < 1e-9 for column in rows.T)  # no query keeps its sign


@pytest.mark.parametrize("n", [3, 200, 2**BITS, 2**BITS + 5])
def test_sums_are_those_of_the_matrix_that_is_never_made(n: int) -> None:
    generator = np.random.default_rng(n)
    values = generator.random((2, n))
    found = signed_sums(values)
    bits = max(BITS, n.bit_length())
    assert found.shape == (2, 2**bits)
    columns = np.random.default_rng(signs.SEED).permutation(2**bits - 1)[:n] + 1
    assert len(set(columns)) == n
    for row in (0, 1, 77, 2**bits - 1):
        parity = np.array([int(row & int(column)).bit_count() & 1 for column in columns])
        assert found[:, row] == pytest.approx(values @ (1 - 2 * parity), abs=1e-7)


def test_scipys_matrix_is_sylvesters() -> None:
    assert (np.kron(hadamard(4), hadamard(8)) == hadamard(32)).all()


def test_a_pair_is_what_it_is_alone() -> None:
    """By subtraction of two systems' sums as by the sums of the differences; in any company."""
    values = np.random.default_rng(0).choice([0.0, 1 / 3, 0.5, 0.63, 1.0], (5, 300))
    values[4] = values[3]
    values[4, :7] = 0.2
    shared = Flipped(values)
    for one in range(5):
        for other in range(one):
            assert shared.p(one, other) == difference(values[one].tolist(), values[other].tolist()).p
            assert shared.p(one, other) == shared.p(other, one)


def test_p_is_valid_below_any_level(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sample has signs by lot, as if the two systems had been swapped by query; every p is of the sample's own
    subgroup. With few signs, so that a fault of the subgroup would show."""
    monkeypatch.setattr(signs, "BITS", 8)
    generator = np.random.default_rng(1)
    sizes = generator.choice([0.1, 1 / 3, 0.5, 1.0], 40)
    flipped = signed_sums((generator.integers(0, 2, (20_000, 40)) * 2.0 - 1.0) * sizes)
    p = (np.abs(flipped) >= np.abs(flipped[:, :1]) - 1e-9).mean(axis=1)
    for level in (0.01, 0.05, 0.2, 0.5):
        assert (p <= level).mean() <= level + 4 * (level * (1 - level) / len(p)) ** 0.5
    assert (p <= 0.05).mean() >= 0.03  # and not empty either


def test_p_does_not_hang_on_the_order_of_the_queries_but_by_chance() -> None:
    generator = np.random.default_rng(2)
    gaps = generator.normal(0.05, 0.3, 80).clip(-1, 1)
    orders = [generator.permutation(80) for _ in range(8)]
    p = [sign_flip_p(gaps[order], gaps.sum(keepdims=True))[0] for order in orders]
    assert np.ptp(p) <= 8 * (p[0] / 2**BITS) ** 0.5
    assert p[0] == pytest.approx(stats.ttest_1samp(gaps, 0).pvalue, abs=0.02)


def test_who_differs_on_few_queries_is_exact_in_any_company() -> None:
    values = np.zeros((3, 5000))
    values[0] = np.random.default_rng(0).random(5000)
    values[1, :5] = 0.5
    assert Flipped(values).p(1, 2) == 2 / 32
