"""p-values against scipy's exact permutation test and by hand, intervals against scipy's and where they degenerate,
Holm's correction against a plain step-down, and a whole bench as one family."""

from __future__ import annotations

import itertools
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

import rr
from rr_bench.evaluate.conclusions import concluded
from rr_bench.evaluate.corrections import holm
from rr_bench.evaluate.results import BenchResult, Comparison, DatasetResult, Row
from rr_bench.evaluate.significance import (
    DIFFERENCES,
    MEANS,
    Difference,
    Interval,
    caution,
    difference,
    doubtful,
    few_queries,
    interval,
    limits,
)
from rr_bench.evaluate.signs import sign_flip_p
from rr_bench.report.files import csv_text
from rr_bench.report.table import cells, explanation, p_value

GRADES = st.sampled_from([0.0, 0.1, 0.2, 0.25, 0.3, 1 / 3, 0.5, 0.6309297535714574, 0.7, 0.75, 1.0])
PAIRS = st.lists(st.tuples(GRADES, GRADES), min_size=2, max_size=10)

SIGNS = 2**17


def p_of(gaps: list[float]) -> float:
    return difference(gaps, [0.0] * len(gaps)).p


# p


@settings(max_examples=60, deadline=None)
@example([(0.0, 0.1), (1 / 3, 0.0), (1 / 3, 0.0), (1 / 3, 1.0)])
@given(PAIRS)
def test_p_is_that_of_scipys_exact_permutation_test(pairs: list[tuple[float, float]]) -> None:
    ours, theirs = map(np.array, zip(*pairs, strict=True))
    # scipy decides ties within 1e-14 of the statistic: on whole numbers, thirds among them, rounding plays no part
    whole = np.rint((ours - theirs) * 3 * 10**7)
    expected = stats.permutation_test(
        (whole, np.zeros(len(whole))),
        lambda x, y, axis: (x - y).sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    ).pvalue
    assert difference(ours.tolist(), theirs.tolist()).p == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("gaps", "p"),
    [
        ([0.1], 1.0),  # the issue's: one query says nothing
        ([1.0], 1.0),
        ([0.0], 1.0),
        ([0.0, 0.0, 0.0], 1.0),
        ([0.2, 0.3], 0.5),
        ([0.2, -0.3], 1.0),
        ([0.5] * 5, 2 / 32),
        ([0.5] * 6, 2 / 64),
        ([0.5] * 5 + [-0.5], 14 / 64),  # a sign test: 2 · (1 + 6) of 64
        ([0.1, 0.2, 0.3], 2 / 8),
        ([0.1, 0.2, -0.3], 1.0),  # .1 + .2 - .3 is not 0 in floats, and ties with all
        ([0.3, 0.1, 0.1, 0.1], 2 / 16),
        ([0.3, -0.1, -0.1, -0.1], 1.0),
        ([0.3, 0.1, 0.1, -0.1], 2 * 4 / 16),  # .4: itself thrice, and .6
        ([0.25] * 20, 2 / 2**20),
    ],
)
def test_p_by_hand(gaps: list[float], p: float) -> None:
    assert p_of(gaps) == pytest.approx(p, abs=1e-15)
    assert p_of([-gap for gap in gaps]) == pytest.approx(p, abs=1e-15)
    assert p_of([*gaps, 0.0, 0.0, 0.0]) == pytest.approx(p, abs=1e-15)  # what does not differ has no sign


def test_one_query_is_no_evidence() -> None:
    found = difference([0.5], [0.4])
    assert found.p == 1.0
    assert (found.low, found.high) == (-1.0, 1.0)
    assert found.caution == "only 1 of 1 differences are not 0"


def test_rounding_decides_no_tie() -> None:
    """Ten differences of a tenth, each as another sum of floats; in one half of all signs the sums are equal."""
    tenths = [0.1, 0.3 - 0.2, 0.4 - 0.3, 0.7 - 0.6, 0.9 - 0.8, 1.0 - 0.9, 0.6 - 0.5, 0.8 - 0.7, 0.2 - 0.1, 0.5 - 0.4]
    assert len(set(tenths)) > 3
    for negative in range(10):
        signed = [gap * (-1 if place < negative else 1) for place, gap in enumerate(tenths)]
        assert p_of(signed) == pytest.approx(stats.binomtest(negative, 10).pvalue, abs=1e-12)


def test_a_system_that_rounds_otherwise_is_no_other() -> None:
    found = difference([0.1 + 0.2] * 40, [0.3] * 40)
    assert found == difference([0.3] * 40, [0.3] * 40)
    assert (found.mean, found.p, found.caution) == (0.0, 1.0, "only 0 of 40 differences are not 0")


@pytest.mark.parametrize("negative", [3, 5, 6, 8, 10])
def test_random_signs_agree_with_the_exact_p(negative: int) -> None:
    """22 equal differences: a sign test, whose p is known, beyond what is enumerated."""
    found = p_of([-0.5] * negative + [0.5] * (22 - negative))
    exact = stats.binomtest(negative, 22).pvalue
    assert found == pytest.approx(exact, abs=4 * (exact * (1 - exact) / SIGNS) ** 0.5 + 1 / SIGNS)
    assert found == p_of([-0.5] * negative + [0.5] * (22 - negative))  # seeded


@pytest.mark.parametrize("n", [21, 37, 1000])
def test_random_signs_agree_with_the_normal_limit(n: int) -> None:
    gaps = np.random.default_rng(n).normal(0.06, 0.3, n).clip(-1, 1)
    for target in (0.5, 1.0, 2.0, 3.0):
        sums = np.array([target * np.sqrt((gaps**2).sum())])
        assert sign_flip_p(gaps, sums)[0] == pytest.approx(2 * stats.norm.sf(target), abs=0.006 + 0.1 / n)


def test_no_p_is_0() -> None:
    assert p_of([0.9] * 500) == 1 / SIGNS


def test_memory_does_not_grow_with_the_queries() -> None:
    generator = np.random.default_rng(0)
    base = generator.random(10_000)
    other = (base + generator.normal(0.001, 0.1, len(base))).clip(0, 1)
    tracemalloc.start()
    difference(other, base)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20 + 8 * SIGNS * 8 + 8 * len(base) * 8  # the signs alone would be 1 GB


@pytest.mark.parametrize("zeros", [0.0, 0.5])
@pytest.mark.parametrize("n", [10, 25])
def test_p_errs_as_often_as_it_says(n: int, zeros: float) -> None:
    generator = np.random.default_rng(1)
    sizes = generator.random(n) * (generator.random(n) >= zeros)
    signs = generator.integers(0, 2, size=(20_000, n)) * 2.0 - 1.0
    p = sign_flip_p(sizes, signs @ sizes)
    for level in (0.05, 0.2, 0.5):
        assert (p <= level).mean() <= level + 4 * (level * (1 - level) / len(p)) ** 0.5


def test_a_comparison_is_paired() -> None:
    """Two systems whose values spread widely and differ by a hundredth: the pairing takes the spread away."""
    generator = np.random.default_rng(0)
    base = generator.uniform(0.1, 0.8, 50)
    found = difference(base + generator.uniform(0.005, 0.015, 50), base)
    assert (found.low, found.high) == (pytest.approx(0.01, abs=0.002), pytest.approx(0.01, abs=0.002))
    assert found.p < 0.0001
    with pytest.raises(ValueError, match="same queries"):
        difference([1.0], [1.0, 0.0])


# intervals


@given(st.lists(st.floats(0.2, 0.8), min_size=2, max_size=60).filter(lambda values: np.ptp(values) > 0.01))
def test_intervals_are_students(values: list[float]) -> None:
    low, high = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    found = interval(values)
    assert (found.mean, found.low, found.high) == pytest.approx(
        (float(np.mean(values)), max(0.0, low), min(1.0, high)), abs=1e-12
    )
    other = [0.5] * len(values)
    paired = difference(values, other)
    ends = stats.ttest_rel(values, other).confidence_interval(0.95)
    assert (paired.low, paired.high) == pytest.approx((max(-1, ends.low), min(1, ends.high)), abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 5, 30, 100])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_equal_values_at_an_end_are_no_single_point(n: int, value: float) -> None:
    found = interval([value] * n)
    assert found.mean == value
    assert 0 <= found.low < found.high <= 1
    assert found.low <= value <= found.high
    # what 95 % of samples would have shown: the rule of three
    assert found.high - found.low >= 0.9 * (1 - 0.05 ** (1 / n))
    same = difference([value] * n, [value] * n)
    assert same.low < 0 < same.high
    assert same.low == -same.high
    assert (same.mean, same.p) == (0.0, 1.0)


def test_one_value_between_the_ends_says_nothing() -> None:
    assert interval([0.3]) == Interval(0.3, 0.0, 1.0)


@pytest.mark.parametrize("n", [30, 60, 200])
def test_shares_are_covered_as_often_as_said(n: int) -> None:
    """Exactly, over all samples of a share: plain t intervals have it 0 to 96 % of the time."""
    samples = np.array([[1.0] * hits + [0.0] * (n - hits) for hits in range(n + 1)])
    low, high = limits(samples, MEANS)
    for share in np.linspace(0.001, 0.999, 499):
        covered = stats.binom.pmf(np.arange(n + 1), n, share)[(low <= share) & (share <= high)].sum()
        assert covered >= 0.94, share


@pytest.mark.parametrize("values", [[], [float("nan"), 0.5], [0.5, float("inf")]])
def test_no_interval_of_nothing_or_of_what_is_no_number(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        interval(values)
    with pytest.raises(ValueError, match="finite"):
        difference(values, [0.5] * len(values))


# cautions


def test_cautions_say_why() -> None:
    generator = np.random.default_rng(0)
    plain = generator.uniform(0.1, 0.9, 40)
    assert caution(plain, MEANS) == few_queries(40) == ""
    assert few_queries(29) == "29 queries, fewer than 30: intervals and p rest on little"
    assert caution(np.array([0.2] * 35 + [0.3] * 5), MEANS) == "fewer than 10 of 40 values differ from the others"
    assert "skewed" in caution(np.array([0.05, 0.1, 0.15] * 13 + [1.0]), MEANS)
    assert caution(np.array([0.0] * 31 + [0.1] * 9), DIFFERENCES) == "only 9 of 40 differences are not 0"
    assert caution(np.array([0.0] * 30 + [0.1, -0.1] * 5), DIFFERENCES) == ""
    assert caution(np.array([0.1] * 9), DIFFERENCES) == "only 9 of 9 differences are not 0"


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(0, 20), st.booleans(), st.integers(0, 999))
def test_the_words_and_the_flag_agree(n: int, others: int, paired: bool, seed: int) -> None:
    """The flag is what benchmarks/inference.py counts, the words are what the table shows."""
    generator = np.random.default_rng(seed)
    values = np.zeros(n)
    values[: min(n, others)] = generator.random(min(n, others)) ** 3
    scale = DIFFERENCES if paired else MEANS
    said = bool(few_queries(n)) or bool(caution(values, scale))
    assert said == bool(doubtful(values, scale)) == bool(doubtful(np.stack([values, values]), scale)[1])


# Holm


@pytest.mark.parametrize(
    ("raw", "corrected"),
    [
        ([], []),
        ([0.04], [0.04]),
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),  # .005·4, .01·3, .03·2, and .04 no less than that
        ([0.5, 0.9], [1.0, 1.0]),
        ([0.02, 0.02, 0.02], [0.06, 0.06, 0.06]),
    ],
)
def test_holm_by_hand(raw: list[float], corrected: list[float]) -> None:
    assert holm(raw) == pytest.approx(corrected)


@given(st.lists(st.floats(0, 1), max_size=20), st.sampled_from([0.01, 0.05, 0.2]))
def test_holm_rejects_what_the_step_down_rejects(raw: list[float], level: float) -> None:
    rejected = set()
    for place, index in enumerate(sorted(range(len(raw)), key=lambda one: raw[one])):
        if (len(raw) - place) * raw[index] > level:
            break
        rejected.add(index)
    corrected = holm(raw)
    assert {index for index, p in enumerate(corrected) if p <= level} == rejected
    assert all(p <= q <= 1 for p, q in zip(raw, corrected, strict=True))
    for (p, q), (r, s) in itertools.permutations(zip(raw, corrected, strict=True), 2):
        assert (p > r) or q <= s


def row(name: str, values: list[float], gap: Difference | None = None) -> Row:
    return Row(name, metrics={"nDCG@10": interval(values)}, per_query={"nDCG@10": tuple(values)}, difference=gap)


def versus_base(name: str, gap: Difference, metric: str = "nDCG@10") -> Comparison:
    return Comparison(name, "base", metric, metric != "nDCG@10", gap)


def test_all_rows_of_all_data_sets_are_one_family() -> None:
    spread = np.random.default_rng(0).uniform(0.1, 0.9, 40).tolist()
    gaps = [Difference(0.1, 0.0, 0.2, p) for p in (0.01, 0.04, 0.03, 0.005)]
    first = DatasetResult(
        "a",
        baseline="base",
        rows=(row("base", spread), row("x", spread), row("y", spread)),
        comparisons=(versus_base("x", gaps[0]), versus_base("y", gaps[1]), versus_base("x", gaps[3], "MAP")),
    )
    few = replace(gaps[3], caution="only 4 of 12 differences are not 0")
    second = DatasetResult(
        "b",
        baseline="base",
        notes=("kept",),
        rows=(row("base", spread[:12]), Row("x", failure="broke"), row("y", spread[:12]), row("z", spread[:12])),
        comparisons=(versus_base("y", gaps[2]), versus_base("z", few), versus_base("z", gaps[1], "MAP")),
    )
    one, other = concluded([first, second])
    found = [(r.difference.p, r.difference.p_holm) for d in (one, other) for r in d.rows if r.difference]
    assert found == [(0.01, 0.03), (0.04, 0.06), (0.03, 0.06), (0.005, 0.02)]
    others = [c.difference for d in (one, other) for c in d.comparisons if c.exploratory]
    assert [(gap.p, gap.p_holm, gap.p_bh) for gap in others] == [(0.005, 0.01, 0.01), (0.04, 0.04, 0.04)]
    assert other.rows[1] == Row("x", failure="broke")
    assert (one.notes, [r.notes for r in one.rows]) == ((), [()] * 3)
    assert other.notes == ("kept", "12 queries, fewer than 30: intervals and p rest on little")
    assert other.rows[3].notes == ("Δ: only 4 of 12 differences are not 0",)


def test_a_row_names_the_metrics_whose_interval_rests_on_little() -> None:
    few, spread = [1.0] * 37 + [0.0] * 3, np.random.default_rng(0).uniform(0.1, 0.9, 40).tolist()
    metrics = {"nDCG@10": few, "MAP": spread, "Hit@1": few}
    one = Row(
        "x",
        metrics={name: interval(values) for name, values in metrics.items()},
        per_query={name: tuple(values) for name, values in metrics.items()},
    )
    (found,) = concluded([DatasetResult("a", rows=(one,))])
    assert found.rows[0].notes == ("nDCG@10, Hit@1: fewer than 10 of 40 values differ from the others",)
    # over folds it is an interval of the folds' means
    (found,) = concluded([DatasetResult("a", rows=(replace(one, folds={"nDCG@10": (1.0, 0.9)}),))])
    assert found.rows[0].notes == ()


def test_a_bench_is_corrected_as_a_whole(small_registry: Path) -> None:
    result = rr.bench(["first-stage", "random", "bm25"], registry=small_registry)
    gaps = [r.difference for dataset in result.datasets for r in dataset.rows if r.difference]
    assert len(gaps) >= 2
    assert [gap.p_holm for gap in gaps] == holm([gap.p for gap in gaps])
    for dataset in result.datasets:
        assert any("fewer than 30" in note for note in dataset.notes) == (len(dataset.query_ids) < 30)
    assert f"that p among all {len(gaps)} comparisons by nDCG@10 of this bench" in explanation(result)
    columns = csv_text(result).split("\n")[0].split(",")
    assert columns[columns.index("p") + 1] == "p_holm"


# how they are shown


@pytest.mark.parametrize(
    ("p", "text"),
    [(1.0, "1"), (0.0625, ".062"), (0.5, ".5"), (0.00012, ".00012"), (0.0001, ".0001"), (0.00001, "< .0001")],
)
def test_a_small_p_is_said_to_be_below(p: float, text: str) -> None:
    assert p_value(p) == text


def test_the_table_shows_p_and_its_correction() -> None:
    result = BenchResult("embedded", "base", ("nDCG@10",), (), {"machine": "x"})
    gap = Difference(0.1, 0.05, 0.15, 1e-5, 0.00054)
    shown = cells(row("x", [0.3, 0.4], gap), result)
    assert shown[3] == "+0.100 [+0.050, +0.150] p < .0001, Holm .00054"
    assert cells(row("x", [0.3, 0.4], replace(gap, p_holm=None)), result)[3].endswith("] p < .0001")
