"""The mean over a suite: complete rows alone, intervals that cover, ranks that pairs decide."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import rr
from rr_bench.evaluate.results import BenchResult, DatasetResult, Row
from rr_bench.evaluate.significance import interval
from rr_bench.evaluate.suite import suite_means
from rr_bench.report.comparisons import suite_csv
from rr_bench.report.files import markdown
from tests.conftest import Rr


def row(name: str, values: np.ndarray, metric: str = "MAP") -> Row:
    per_query = tuple(values.tolist())
    return Row(name, metrics={metric: interval(per_query)}, per_query={metric: per_query})


def two(n: int = 40, shift: float = 0.0, noise: float = 0.0) -> list[DatasetResult]:
    generator = np.random.default_rng(0)
    results = []
    for name, size in (("x", n), ("y", 2 * n)):
        base = generator.uniform(0.2, 0.7, size)
        other = base + shift + noise * generator.normal(0, 1, size)
        results.append(DatasetResult(name, rows=(row("one", base), row("two", other))))
    return results


def test_the_mean_counts_data_sets_alike_and_its_interval_is_of_their_errors() -> None:
    first, second = two(shift=0.1)
    found = {one.reranker: one for one in suite_means([first, second], "MAP")}
    x, y = (np.array(data.rows[0].per_query["MAP"]) for data in (first, second))
    mean = found["one"].mean
    assert mean is not None
    assert mean.mean == pytest.approx((x.mean() + y.mean()) / 2)
    far = sum(stats.t.ppf(0.975, len(one) - 1) ** 2 * one.var(ddof=1) / len(one) for one in (x, y)) ** 0.5 / 2
    assert (mean.low, mean.high) == pytest.approx((mean.mean - far, mean.mean + far))
    # about Welch's: half the sum of two independent means is that of x against -y
    welch = stats.ttest_ind(x, -y, equal_var=False).confidence_interval(0.95)
    assert (mean.low, mean.high) == pytest.approx((welch.low / 2, welch.high / 2), rel=0.01)


def test_a_pair_decides_the_rank_however_wide_the_intervals() -> None:
    found = suite_means(two(shift=0.01), "MAP")
    assert [(one.reranker, one.rank, one.rank_low, one.rank_high) for one in found] == [
        ("two", 1, 1, 1),
        ("one", 2, 2, 2),
    ]
    assert found[0].mean is not None
    assert found[1].mean is not None
    assert found[1].mean.high > found[0].mean.low
    unsure = suite_means(two(shift=0.0, noise=0.2), "MAP")
    assert {(one.rank_low, one.rank_high) for one in unsure} == {(1, 2)}
    same = suite_means(two(), "MAP")
    assert {(one.rank, one.rank_low, one.rank_high) for one in same} == {(1, 1, 1)}
    assert suite_means(two(shift=0.0, noise=0.2), "MAP") == unsure  # seeded


def test_who_misses_a_data_set_has_no_mean() -> None:
    first, second = two(shift=0.1)
    more = Row("three", failure="x"), Row("four", skipped="y")
    second = DatasetResult("y", rows=(*second.rows, *more))
    first = DatasetResult("x", rows=(*first.rows, row("three", np.full(40, 0.9)), row("four", np.full(40, 0.9))))
    found = suite_means([first, second], "MAP")
    assert [(one.reranker, one.rank, one.missing) for one in found] == [
        ("two", 1, ()),
        ("one", 2, ()),
        ("three", 0, ("y",)),
        ("four", 0, ("y",)),
    ]
    gone = suite_means([first, second, DatasetResult("z", failure="gone")], "MAP")
    assert all(one.mean is None and "z" in one.missing for one in gone)
    assert suite_means([first], "MAP") == ()


def test_values_that_do_not_vary_and_single_queries() -> None:
    flat = [DatasetResult(name, rows=(row("one", np.full(30, 0.5)), row("two", np.ones(30)))) for name in "xy"]
    two_, one = (entry.mean for entry in suite_means(flat, "MAP"))
    assert one is not None
    assert two_ is not None
    assert (one.low, one.mean, one.high) == (0.5, 0.5, 0.5)
    assert two_.low < two_.mean == two_.high == 1.0  # ones are never sure
    single = [DatasetResult(name, rows=(row("one", np.full(1, 0.3)),)) for name in "xy"]
    (alone,) = suite_means(single, "MAP")
    assert alone.mean is not None
    assert (alone.mean.low, alone.mean.high) == (0.0, 1.0)


def test_the_interval_covers() -> None:
    """Two data sets of different sizes and spreads, drawn 3,000 times."""
    generator = np.random.default_rng(5)
    covered, trials = 0, 3000
    for _ in range(trials):
        data = [
            DatasetResult("x", rows=(row("one", generator.beta(2, 3, 12)),)),
            DatasetResult("y", rows=(row("one", generator.beta(0.9, 1.1, 50)),)),
        ]
        (found,) = means_without_ranks(data)
        assert found is not None
        covered += found.low <= (0.4 + 0.45) / 2 <= found.high
    assert 0.935 <= covered / trials <= 0.97


def means_without_ranks(data: list[DatasetResult]) -> list[object]:
    from rr_bench.evaluate import suite

    return [suite._mean([one.rows[0] for one in data], "MAP")]


def second_data_set(registry: Path) -> None:
    text = registry.read_text(encoding="utf-8")
    start, end = text.index("      rooms:"), text.index("rerankers:")
    again = text[start:end].replace("rooms:", "flats:")
    registry.write_text(text[:end] + again + text[end:], encoding="utf-8")


def test_a_bench_of_two_data_sets_ends_with_the_suite(rr_command: Rr, small_registry: Path, tmp_path: Path) -> None:
    second_data_set(small_registry)
    names = ("bm25", "random", "first-stage")
    result = rr.bench(names, registry=small_registry)
    assert {one.reranker for one in result.suite} == set(names)
    assert "**mean over 2 data sets**" in markdown(result)
    lines = list(csv.DictReader(io.StringIO(suite_csv(result))))
    assert [one["rank"] for one in lines] == [str(one.rank) for one in result.suite]
    ended = rr_command("bench", *names, "--registry", small_registry, "--out", tmp_path / "out")
    assert "mean over 2 data sets" in ended.stdout
    assert (tmp_path / "out" / "suite.csv").read_bytes() == suite_csv(result).encode()
    alone = rr.bench(names, datasets=["rooms"], registry=small_registry)
    assert alone.suite == ()
    assert "mean over" not in markdown(alone)


def test_a_missing_row_is_said_in_every_format() -> None:
    first, second = two()
    second = DatasetResult("y|z", rows=(second.rows[0], Row("two", failure="x")))
    found = suite_means([first, second], "MAP")
    result = BenchResult("p", "one", ("MAP",), (first, second), {"machine": "x"}, found)
    assert "| two | no figures on y\\|z |" in markdown(result)
    assert list(csv.DictReader(io.StringIO(suite_csv(result))))[1]["missing"] == "y|z"
