"""Rows against each other: which pairs, in which order, what is marked, and that every format holds it."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import rr
from rr import RerankError
from rr_bench.evaluate.comparison import compared
from rr_bench.evaluate.conclusions import concluded
from rr_bench.evaluate.corrections import benjamini_hochberg, holm
from rr_bench.evaluate.results import BenchResult, DatasetResult, Row
from rr_bench.evaluate.significance import difference, interval
from rr_bench.report.files import csv_text, markdown, write_result
from rr_bench.report.table import cells, explanation
from rr_bench.report.terminal import print_result
from tests.conftest import Rr

METRICS = ("nDCG@10", "MAP")
QUERIES = 60


def row(name: str, shift: float, seed: int = 0) -> Row:
    """Queries that are as hard for all rows, so that a shift of a hundredth is found."""
    generator = np.random.default_rng(seed)
    base = generator.uniform(0.3, 0.6, QUERIES) + np.random.default_rng(ord(name[0])).normal(0, 0.01, QUERIES)
    per_query = {"nDCG@10": tuple((base + shift).tolist()), "MAP": tuple((base - shift).tolist())}
    metrics = {metric: interval(values) for metric, values in per_query.items()}
    return Row(name, metrics=metrics, per_query=per_query, notes=("own",))


def dataset(*rows: Row, name: str = "a") -> DatasetResult:
    return DatasetResult(name, query_ids=tuple(f"q{n}" for n in range(QUERIES)), baseline="base", rows=rows)


GIVEN = dataset(
    Row("broken", failure="x"), row("base", 0.0), Row("silent", skipped="y"), row("alike", 0.004), row("good", 0.1)
)


def test_rows_stand_best_first_and_those_without_figures_behind() -> None:
    found = compared(GIVEN, METRICS, ["base"], all_pairs=False)
    assert [one.reranker for one in found.rows] == ["good", "alike", "base", "silent", "broken"]
    turned = compared(replace(GIVEN, rows=GIVEN.rows[::-1]), METRICS, ["base"], all_pairs=False)
    assert [one.reranker for one in turned.rows] == [one.reranker for one in found.rows]
    same = dataset(row("b", 0.0), replace(row("b", 0.0), reranker="a"))
    assert [one.reranker for one in compared(same, METRICS, [], all_pairs=False).rows] == ["b", "a"]  # as they came


def test_the_best_of_a_metric_is_marked_and_ties_share_it() -> None:
    found = {one.reranker: one for one in compared(GIVEN, METRICS, [], all_pairs=False).rows}
    assert found["good"].best == ("nDCG@10",)
    assert found["base"].best == ("MAP",) or found["alike"].best == ("MAP",)
    tied = compared(dataset(row("b", 0.0), replace(row("b", 0.0), reranker="a")), METRICS, [], all_pairs=False)
    assert [one.best for one in tied.rows] == [METRICS, METRICS]
    assert [one.letters for one in tied.rows] == ["a", "a"]
    (alone,) = compared(dataset(row("b", 0.0)), METRICS, ["b"], all_pairs=True).rows
    assert (alone.best, alone.letters) == ((), "")


def test_letters_are_those_of_all_pairs_after_holm() -> None:
    rows = [row(name, shift) for name, shift in (("a", 0.0), ("b", 0.002), ("c", 0.005), ("d", 0.1))]
    found = compared(dataset(*rows), METRICS, ["a"], all_pairs=False)
    named = {one.reranker: one for one in found.rows}
    pairs = list(itertools.combinations(named, 2))
    p = [difference(named[x].per_query["nDCG@10"], named[y].per_query["nDCG@10"]).p for x, y in pairs]
    differ = dict(zip(pairs, (one <= 0.05 for one in holm(p)), strict=True))
    assert {True, False} == set(differ.values())
    for (x, y), apart in differ.items():
        assert bool(set(named[x].letters) & set(named[y].letters)) != apart
    assert found.rows[0].letters == "a"
    assert all(not one.letters for one in compared(GIVEN, METRICS, [], all_pairs=False).rows if not one.metrics)


def test_which_pairs_are_compared() -> None:
    def pairs(baselines: list[str], *, every: bool = False) -> list[tuple[str, str]]:
        found = compared(GIVEN, METRICS, baselines, all_pairs=every).comparisons
        assert [one.metric for one in found] == sorted((one.metric for one in found), key=METRICS.index)
        assert [one.exploratory for one in found] == [one.metric == "MAP" for one in found]
        return [(one.reranker, one.baseline) for one in found if one.metric == "MAP"]

    assert pairs(["base"]) == [("good", "base"), ("alike", "base")]
    # a pair of two baselines is one comparison, from the first of them
    assert pairs(["base", "good"]) == [("good", "base"), ("alike", "base"), ("alike", "good")]
    assert pairs(["broken", "nowhere"]) == []
    assert sorted(map(sorted, pairs([], every=True))) == sorted(
        map(sorted, itertools.combinations(["good", "alike", "base"], 2))
    )
    assert pairs([], every=True) == [("good", "alike"), ("good", "base"), ("alike", "base")]
    assert ("good", "base") in pairs(["base"], every=True)
    assert len(pairs(["base"], every=True)) == 3
    assert pairs(["good"], every=True)[:2] == [("alike", "good"), ("base", "good")]


def test_a_comparison_is_that_of_the_two_rows_alone() -> None:
    (result,) = concluded([compared(GIVEN, METRICS, ["base"], all_pairs=True)])
    named = {one.reranker: one for one in GIVEN.rows}
    for one in result.comparisons:
        alone = difference(named[one.reranker].per_query[one.metric], named[one.baseline].per_query[one.metric])
        assert replace(one.difference, p_holm=None, p_bh=None) == alone
        assert one.difference.wins + one.difference.ties + one.difference.losses == QUERIES
    for of_row in result.rows:
        of_base = [c for c in result.comparisons if (c.reranker, c.baseline) == (of_row.reranker, "base")]
        assert of_row.difference == (of_base[0].difference if of_base else None)


def test_families_are_over_all_data_sets_the_leading_metric_apart() -> None:
    found = concluded(
        [
            compared(GIVEN, METRICS, ["base", "alike"], all_pairs=False),
            compared(replace(GIVEN, name="b", rows=GIVEN.rows[1:3]), METRICS, ["base"], all_pairs=False),
            DatasetResult("c", failure="gone"),
            compared(dataset(row("base", 0.0, 3), row("good", 0.002, 3), name="d"), METRICS, ["base"], all_pairs=False),
        ]
    )
    for exploratory in (False, True):
        family = [one.difference for data in found for one in data.comparisons if one.exploratory is exploratory]
        assert len(family) == 4
        assert [one.p_holm for one in family] == holm([one.p for one in family])
        assert [one.p_bh for one in family] == benjamini_hochberg([one.p for one in family])


# a whole bench, and every format


@pytest.fixture
def bench_of_three(small_registry: Path) -> BenchResult:
    return rr.bench(["bm25", "random", "first-stage"], baselines=["random", "bm25"], registry=small_registry)


def test_a_bench_with_two_baselines(bench_of_three: BenchResult, small_registry: Path) -> None:
    (data,) = bench_of_three.datasets
    assert (bench_of_three.baseline, data.baseline) == ("random", "random")
    pairs = {(one.reranker, one.baseline) for one in data.comparisons}
    assert pairs == {("bm25", "random"), ("first-stage", "random"), ("first-stage", "bm25")}
    assert {one.metric for one in data.comparisons} == set(bench_of_three.metrics)
    assert {row.reranker: bool(row.difference) for row in data.rows} == {
        "bm25": True,
        "first-stage": True,
        "random": False,
    }
    means = [row.metrics["nDCG@10"].mean for row in data.rows]
    assert means == sorted(means, reverse=True)
    every = rr.bench(["bm25", "random", "first-stage"], all_pairs=True, registry=small_registry).datasets[0]
    assert len(every.comparisons) == 3 * len(bench_of_three.metrics)
    also = rr.bench(["bm25", "random"], baseline="bm25", baselines=["bm25", "random"], registry=small_registry)
    assert (also.baseline, len(also.datasets[0].comparisons)) == ("bm25", len(also.metrics))
    with pytest.raises(RerankError, match="baseline 'bm52' is not benched here"):
        rr.bench(["bm25", "random"], baselines=["bm25", "bm52"], registry=small_registry)
    with pytest.raises(TypeError, match="baselines"):
        rr.bench(["bm25"], baselines="bm25", registry=small_registry)


def test_a_second_baseline_without_figures_is_told(small_registry: Path) -> None:
    text = small_registry.read_text(encoding="utf-8")
    small_registry.write_text(text.replace("{reranker: first_stage}", "{scorer: no_such}"), encoding="utf-8")
    names = ["bm25", "random", "first-stage"]
    (data,) = rr.bench(names, baselines=["bm25", "first-stage"], registry=small_registry).datasets
    assert [note for note in data.notes if "Δ" in note] == ["no Δ: the baseline 'first-stage' has no figures"]
    assert next((one.reranker, one.baseline) for one in data.comparisons) == ("random", "bm25")


def test_every_format_marks_the_best_and_the_ties() -> None:
    (data,) = concluded([compared(GIVEN, METRICS, ["base"], all_pairs=False)])
    result = BenchResult("p", "base", METRICS, (data,), {"machine": "x"})
    best = next(one for one in data.rows if one.reranker == "good")
    leading = f"{best.metrics['nDCG@10'].mean:.3f} ["
    assert cells(best, result)[2].startswith(leading)
    assert cells(best, result)[2].endswith("] a")
    assert f"| **{leading}" in markdown(result)
    console = Console(file=io.StringIO(), width=250, force_terminal=True, color_system="truecolor")
    print_result(result, console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert re.search(rf"\x1b\[1m *{re.escape(leading)}", shown)
    lines = {line["reranker"]: line for line in csv.DictReader(io.StringIO(csv_text(result)))}
    assert (lines["good"]["best"], lines["good"]["letters"]) == ("nDCG@10", "a")
    assert float(lines["good"]["p_bh"]) == best.difference.p_bh  # type: ignore[union-attr]
    assert lines["good"]["wins"] == "60"
    assert float(lines["good"]["detectable"]) == best.difference.detectable  # type: ignore[union-attr]
    written = json.loads(json.dumps(asdict(result)))["datasets"][0]
    assert written["rows"][0]["best"] == ["nDCG@10"]
    assert "Rows that share a letter do not differ" in explanation(result)
    assert "that p among all 2 comparisons by nDCG@10 of this bench" in explanation(result)


def test_comparisons_have_a_file(tmp_path: Path) -> None:
    same = replace(row("base", 0.0), reranker="=2+3")
    (data,) = concluded([compared(dataset(row("base", 0.0), same), METRICS, ["base"], all_pairs=False)])
    result = BenchResult("p", "base", METRICS, (data,), {"machine": "x"})
    write_result(result, tmp_path)
    lines = list(csv.DictReader(io.StringIO((tmp_path / "comparisons.csv").read_text(encoding="utf-8"))))
    assert [(one["metric"], one["family"]) for one in lines] == [("nDCG@10", "leading metric"), ("MAP", "exploratory")]
    assert lines[0]["reranker"] == "'=2+3"
    assert (lines[0]["d_z"], lines[0]["detectable"], lines[0]["ties"]) == ("0.0", "", "60")
    assert "only 0 of 60 differences are not 0" in lines[0]["caution"]


def test_the_command_compares(rr_command: Rr, small_registry: Path, tmp_path: Path) -> None:
    common = ("bench", "bm25", "random", "first-stage", "--registry", small_registry, "--out", tmp_path / "out")
    ended = rr_command(*common, "--baseline", "random", "--baseline", "bm25", "--all-pairs")
    assert ended.returncode == 0, ended.stderr
    lines = list(csv.DictReader(io.StringIO((tmp_path / "out" / "comparisons.csv").read_text(encoding="utf-8"))))
    assert {one["baseline"] for one in lines} == {"random", "bm25"}
    assert "Δ nDCG@10 to random" in " ".join(ended.stdout.split())
    assert rr_command(*common, "--baseline", "nobody").returncode == 2
