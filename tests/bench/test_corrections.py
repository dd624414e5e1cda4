"""Holm and Benjamini-Hochberg against statsmodels, effect sizes and what could have been found, the letters of ties."""

from __future__ import annotations

import itertools
import string

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from rr_bench.evaluate.corrections import benjamini_hochberg, holm
from rr_bench.evaluate.letters import compact_letters
from rr_bench.evaluate.power import ALPHA, POWER, detectable
from rr_bench.evaluate.significance import difference

P = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, 0.05, 0.01, 0.5]))


@settings(max_examples=40, deadline=None)
@given(st.lists(P, min_size=1, max_size=60))
@example([0.0, 0.0, 1.0, 1.0])
@example([0.05] * 7)
def test_corrections_are_statsmodels(p_values: list[float]) -> None:
    for ours, theirs in ((holm, "holm"), (benjamini_hochberg, "fdr_bh")):
        expected = multipletests(p_values, method=theirs)[1]
        assert ours(p_values) == pytest.approx(expected.tolist(), abs=1e-12)


@pytest.mark.parametrize("wrong", [float("nan"), -0.1, 1.1, float("inf")])
def test_what_is_no_p_is_refused(wrong: float) -> None:
    for correct in (holm, benjamini_hochberg):
        with pytest.raises(ValueError, match="from 0 to 1"):
            correct([0.5, wrong])
        assert correct([]) == []


# effect size, and the smallest effect


def test_effect_size_and_counts() -> None:
    found = difference([0.5, 0.7, 0.2, 0.4], [0.4, 0.4, 0.4, 0.4])
    gaps = np.array([0.1, 0.3, -0.2, 0.0])
    assert found.d_z == pytest.approx(gaps.mean() / gaps.std(ddof=1))
    assert (found.wins, found.ties, found.losses) == (2, 1, 1)
    assert found.d_z_note == ""


@pytest.mark.parametrize(
    ("values", "baseline", "d_z", "note"),
    [
        ([0.3] * 5, [0.3] * 5, 0.0, ""),
        ([0.5] * 5, [0.25] * 5, None, "infinite: the differences of all queries are equal"),
        ([0.5], [0.25], None, "one query has no standard deviation"),
        ([0.1 + 0.2] * 5, [0.3] * 5, 0.0, ""),
    ],
)
def test_an_effect_that_is_no_number_says_so(
    values: list[float], baseline: list[float], d_z: float | None, note: str
) -> None:
    found = difference(values, baseline)
    assert (found.d_z, found.d_z_note) == (d_z, note)
    assert found.detectable is None


@pytest.mark.parametrize("n", [3, 5, 12, 30, 100, 1000, 100_000])
def test_the_smallest_effect_is_found_with_the_power_that_is_said(n: int) -> None:
    """By statsmodels' noncentral t, of a paired, two-sided test."""
    spread = 0.27
    found = detectable([(spread**2 / n, n - 1)]) / spread
    assert TTestPower().power(found, n, ALPHA) == pytest.approx(POWER, abs=1e-5)
    assert found == pytest.approx(TTestPower().solve_power(nobs=n, alpha=ALPHA, power=POWER), rel=1e-3)


def test_the_smallest_effect_of_a_comparison_and_by_simulation() -> None:
    generator = np.random.default_rng(0)
    gaps = generator.normal(0, 0.2, 60).clip(-1, 1)
    found = difference(gaps.tolist(), [0.0] * 60).detectable
    assert found == pytest.approx(detectable([(float(gaps.var(ddof=1)) / 60, 59)]))
    assert found is not None
    samples = generator.normal(found, gaps.std(ddof=1), (20_000, 60))
    t = samples.mean(axis=1) / (samples.std(axis=1, ddof=1) / 60**0.5)
    assert (np.abs(t) > 2.0010).mean() == pytest.approx(POWER, abs=0.012)


# letters


@given(st.integers(0, 9).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.sampled_from(pairs_of(n) or [(0, 0)])))))
@settings(deadline=None)
def test_rows_share_a_letter_exactly_where_they_do_not_differ(drawn: tuple[int, set[tuple[int, int]]]) -> None:
    count, differing = drawn[0], {pair for pair in drawn[1] if pair[0] != pair[1]}
    letters = compact_letters(count, differing)
    assert len(letters) == count
    for one, other in pairs_of(count):
        assert bool(set(letters[one]) & set(letters[other])) == ((one, other) not in differing)
    for letter in set("".join(letters)):  # none that another one has whole
        having = {row for row in range(count) if letter in letters[row]}
        others = [{row for row in range(count) if o in letters[row]} for o in set("".join(letters)) - {letter}]
        assert not any(having <= other for other in others)
    if count:
        assert letters[0].startswith("a")


def pairs_of(count: int) -> list[tuple[int, int]]:
    return list(itertools.combinations(range(count), 2))


def test_letters_by_hand() -> None:
    assert compact_letters(3, []) == ["a", "a", "a"]
    assert compact_letters(3, pairs_of(3)) == ["a", "b", "c"]
    assert compact_letters(4, [(0, 2), (0, 3), (1, 3)]) == ["a", "ab", "bc", "c"]
    assert compact_letters(54, pairs_of(54))[-3:] == ["Z", ".a", ".b"]
    assert len(string.ascii_letters) == 52
