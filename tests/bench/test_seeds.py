"""Trainings repeated with several seeds: what is repeated, what is reused, and that seeds count besides queries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import rr
from rr import Component, Dataset, ModelInfo, OnEvent, Request, RerankError, Settings, TrainingEvent
from rr.files import home
from rr.registry.plugins import Plugins, Registered, installed_plugins
from rr_bench.evaluate.comparison import compared
from rr_bench.evaluate.results import BenchResult, DatasetResult, Row
from rr_bench.evaluate.seeds import ONCE, components, pooled_seeds
from rr_bench.evaluate.significance import DIFFERENCES, MEANS, Interval, described, errors, interval, limits
from rr_bench.report.files import csv_text
from rr_bench.report.table import cells, explanation
from tests.conftest import Rr


class Scorer:
    info = ModelInfo(scale="logit", state="trained")

    def __init__(self, settings: Settings, checkpoint: Path | None = None) -> None:
        self._seed = int((checkpoint / "seed").read_text()) if checkpoint else 0

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        return [[float(hash_of(self._seed, r.query.id, d.id)) for d in r.candidates] for r in requests]


def hash_of(seed: int, query: str, document: str) -> int:
    return (seed * 7 + sum(map(ord, query)) * 3 + sum(map(ord, document)) * 5) % 11


class Trainer:
    """Its scorer answers by the seed alone; cannot do with one of them."""

    seen: list[int]

    class Settings(Settings):
        seed: int = 40
        fails_with: int = -1

    def __init__(self, settings: Any, scorer_settings: Settings) -> None:
        self._settings = settings

    def train(self, dataset: Dataset, out: Path, on_event: OnEvent) -> None:
        assert dataset.facets == {}
        self.seen.append(self._settings.seed)
        if self._settings.seed == self._settings.fails_with:
            raise RerankError("cannot")
        on_event(TrainingEvent(1, 1, loss=1.0))
        (out / "seed").write_text(str(self._settings.seed))


class Unseeded(Trainer):
    class Settings(Settings):
        epochs: int = 1

    def train(self, dataset: Dataset, out: Path, on_event: OnEvent) -> None:
        self.seen.append(-1)
        on_event(TrainingEvent(1, 1, loss=1.0))
        (out / "seed").write_text("3")


def benched(
    registry: Path, monkeypatch: pytest.MonkeyPatch, training: str = "{}", more: Sequence[str] = (), **options: Any
) -> BenchResult:
    monkeypatch.setattr(Trainer, "seen", [], raising=False)
    text = registry.read_text(encoding="utf-8").partition("  toy:")[0]
    toys = f"  toy: {{scorer: toy, trainer: toy, training: {training}}}\n  other: {{scorer: toy, trainer: other}}\n"
    toys += "  fused: {fuse: [bm25, toy]}\n  deep: {fuse: [other, fused]}\n"
    registry.write_text(text + toys, encoding="utf-8")
    targets = (("scorer", "toy", "Scorer"), ("trainer", "toy", "Trainer"), ("trainer", "other", "Unseeded"))
    ours = [
        Registered(Component(name, f"{__name__}:{target}", ""), kind, "toy", "toy", "1")  # type: ignore[arg-type]
        for kind, name, target in targets
    ]
    plugins = Plugins([*installed_plugins().components, *ours])
    return rr.bench(["bm25", "first-stage", "toy", "other", *more], registry=registry, plugins=plugins, **options)


def rows_of(result: BenchResult) -> dict[str, Row]:
    return {row.reranker: row for row in result.datasets[0].rows}


def test_what_is_made_of_trained_entries_is_repeated_with_theirs(
    small_registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = ["fused", "deep"]
    single = [rows_of(benched(small_registry, monkeypatch, f"{{seed: {seed}}}", more)) for seed in (40, 41)]
    found = rows_of(benched(small_registry, monkeypatch, more=more, seeds=2))
    assert Trainer.seen == []
    for name in more:
        assert [one.seed for one in found[name].seeds] == [40, 41]
        assert [one.per_query for one in found[name].seeds] == [rows[name].per_query for rows in single]
    assert f"other: {ONCE}" in found["deep"].notes
    assert found["fused"].notes == tuple(note for note in found["fused"].notes if ONCE not in note)


def test_trained_entries_are_repeated_from_their_own_seed_and_others_are_not(
    small_registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    single = [
        rows_of(benched(small_registry, monkeypatch, f"{{seed: {seed}}}"))["toy"].per_query for seed in (40, 41, 42)
    ]
    checkpoints = set((home() / "checkpoints").iterdir())
    result = benched(small_registry, monkeypatch, seeds=3)
    found = rows_of(result)
    assert Trainer.seen == []  # kept under their settings, seed among them
    assert set((home() / "checkpoints").iterdir()) == checkpoints
    toy = found["toy"]
    assert [one.seed for one in toy.seeds] == [40, 41, 42]
    assert [one.per_query for one in toy.seeds] == single
    assert toy.scores_from_store
    for metric, values in toy.per_query.items():
        assert values == pytest.approx(np.mean([one[metric] for one in single], axis=0).tolist())
        means = tuple(one.mean(metric) for one in toy.seeds)
        assert toy.metrics[metric].mean == pytest.approx(np.mean(means))
        low, high = limits(np.array(values), MEANS, [means])
        assert (toy.metrics[metric].low, toy.metrics[metric].high) == pytest.approx((float(low), float(high)))
    assert toy.notes[0].startswith("3 seeds, 40 to 42: nDCG@10 differs between seeds by ")
    assert set(toy.spread) == set(result.metrics)
    assert (found["bm25"].seeds, found["bm25"].spread) == ((), {})
    assert found["other"].seeds == ()
    assert ONCE in found["other"].notes
    assert ONCE not in (*found["bm25"].notes, *toy.notes)
    told = cells(toy, result)[-1]
    for seed, one in zip((40, 41, 42), toy.weights, strict=True):
        assert f"seed {seed}: checkpoint {one.checkpoint}" in told
    assert "Rows of several seeds" in explanation(result)
    assert "40; 41; 42" in csv_text(result)
    seconds = [
        json.loads((home() / "checkpoints" / one.checkpoint / "training_info.json").read_text())["seconds"]
        for one in toy.weights
    ]
    assert toy.train_seconds == pytest.approx(np.mean(seconds))
    again = rows_of(benched(small_registry, monkeypatch, seeds=2))["toy"]
    assert (Trainer.seen, [one.seed for one in again.seeds], again.scores_from_store) == ([], [40, 41], True)


def test_a_seed_that_fails_fails_the_row_and_nothing_more_is_spent(
    small_registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = rows_of(benched(small_registry, monkeypatch, "{fails_with: 41}", seeds=4))["toy"]
    assert found.failure == "seed 41: cannot"
    assert "RerankError: cannot" in found.traceback
    assert (found.metrics, found.seeds) == ({}, ())
    assert [seed for seed in Trainer.seen if seed >= 0] == [40, 41]
    broken = rows_of(benched(small_registry, monkeypatch, "{sed: 1}", seeds=2))["toy"]
    assert "sed" in broken.failure


def test_what_cannot_be_asked(rr_command: Rr, small_registry: Path) -> None:
    with pytest.raises(RerankError, match="at least 2, not 1"):
        rr.bench(["bm25"], seeds=1, registry=small_registry)
    with pytest.raises(RerankError, match="ask for one of them at a time"):
        rr.bench(["bm25"], seeds=2, folds=2, registry=small_registry)
    with pytest.raises(TypeError, match="seeds"):
        rr.bench(["bm25"], seeds="2", registry=small_registry)  # type: ignore[arg-type]
    ended = rr_command("bench", "bm25", "--registry", small_registry, "--seeds", "2", "--folds", "2")
    assert ended.returncode == 2
    assert "ask for one of them at a time" in ended.stderr
    assert rr_command("bench", "bm25", "--registry", small_registry, "--seeds", "2").returncode == 0


# figures


def rows_of_values(values: np.ndarray) -> dict[int, Row]:
    return {
        seed: Row("x", metrics={"MAP": interval(one.tolist())}, per_query={"MAP": tuple(one.tolist())})
        for seed, one in enumerate(values)
    }


def test_seeds_that_change_nothing_change_no_interval() -> None:
    values = np.random.default_rng(0).uniform(0.1, 0.9, 40)
    row = pooled_seeds(rows_of_values(np.array([values] * 3)))
    alone = interval(values.tolist())
    assert (row.metrics["MAP"].low, row.metrics["MAP"].high) == pytest.approx((alone.low, alone.high))
    spread = row.spread["MAP"]
    assert (spread.seeds, spread.rest) == pytest.approx((0.0, 0.0), abs=1e-9)
    assert spread.queries == pytest.approx(values.std(ddof=1))
    hits = np.array([[1.0, 0.0, 1.0, 1.0]] * 2)
    hit_row, hit = pooled_seeds(rows_of_values(hits)).metrics["MAP"], interval(hits[0].tolist())
    assert hit_row == Interval(hit.mean, hit.low, hit.high)


def test_components_are_found_apart() -> None:
    generator = np.random.default_rng(1)
    k, n, trials = 6, 80, 400
    found = []
    for _ in range(trials):
        values = generator.normal(0, 0.2, n) + generator.normal(0, 0.05, (k, 1)) + generator.normal(0, 0.1, (k, n))
        found.append(components(values))
    squares = np.mean([(one.queries**2, one.seeds**2, one.rest**2) for one in found], axis=0) ** 0.5
    assert squares == pytest.approx((0.2, 0.05, 0.1), rel=0.06)
    assert components(np.array([[0.1], [0.3]])).queries == 0.0


def test_errors_of_queries_and_seeds_are_reached_each_with_its_own_t() -> None:
    values = np.random.default_rng(2).normal(0.5, 0.05, (4, 25)) + np.arange(4)[:, None] / 20
    of_queries, of_seeds = values.mean(axis=0), values.mean(axis=1)
    u, v = of_queries.var(ddof=1) / 25, of_seeds.var(ddof=1) / 4
    assert errors(of_queries, [tuple(of_seeds)]) == [(pytest.approx(u), 24), (pytest.approx(v), 3)]
    far = (stats.t.ppf(0.975, 24) ** 2 * u + stats.t.ppf(0.975, 3) ** 2 * v) ** 0.5
    low, high = limits(of_queries, MEANS, [tuple(of_seeds)])
    assert (low, high) == pytest.approx((values.mean() - far, values.mean() + far))
    # p is where the interval ends at 0
    gaps = of_queries - values.mean() + far
    found = described(gaps, 0.0, [tuple(of_seeds)])
    assert (found.p, found.low) == (pytest.approx(0.05), pytest.approx(0.0, abs=1e-12))
    assert described(gaps, 0.3, [tuple(of_seeds)]).p == 0.3
    assert described(gaps * 1e9, 0.0, [tuple(of_seeds)]).p <= 1e-9


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize(("of_seeds", "rest"), [(0.0, 0.1), (0.02, 0.1), (0.08, 0.05)])
def test_intervals_cover_over_queries_and_seeds(seeds: int, of_seeds: float, rest: float) -> None:
    """New queries and new seeds each time; an interval over queries alone misses where seeds differ."""
    generator = np.random.default_rng(3)
    n, trials = 50, 2500
    covered = over_queries = 0
    for _ in range(trials):
        values = 0.5 + generator.normal(0, 0.15, n) + generator.normal(0, of_seeds, (seeds, 1))
        values = values + generator.normal(0, rest, (seeds, n))
        mean = values.mean(axis=0)
        low, high = limits(mean, DIFFERENCES, [tuple(values.mean(axis=1))])
        covered += bool(low <= 0.5 <= high)
        low, high = limits(mean, DIFFERENCES)
        over_queries += bool(low <= 0.5 <= high)
    assert covered / trials >= 0.94
    if of_seeds == 0.08:
        assert over_queries / trials < 0.75


def test_a_comparison_counts_the_seeds_of_both() -> None:
    """Two trainings of one kind: that the seeds of one were lucky is no difference."""
    generator = np.random.default_rng(4)
    n, k, trials, found, alone = 40, 3, 1500, 0, 0
    for _ in range(trials):
        easy = generator.normal(0.5, 0.1, n)
        one, other = (easy + generator.normal(0, 0.05, (k, 1)) + generator.normal(0, 0.02, (k, n)) for _ in range(2))
        gaps = one.mean(axis=0) - other.mean(axis=0)
        p = described(gaps, 0.0, [tuple(one.mean(axis=1)), tuple(other.mean(axis=1))]).p
        found += p <= 0.05
        alone += described(gaps, 0.0).low > 0 or described(gaps, 0.0).high < 0
    assert found / trials <= 0.06
    assert alone / trials > 0.5


def test_rows_of_seeds_are_compared_with_them() -> None:
    generator = np.random.default_rng(5)
    base = generator.uniform(0.3, 0.6, 60)
    several = pooled_seeds(rows_of_values(base + np.array([[0.01], [0.05], [0.09]])))
    plain = Row("base", metrics={"MAP": interval(base.tolist())}, per_query={"MAP": tuple(base.tolist())})
    (found,) = compared(DatasetResult("d", rows=(plain, several)), ["MAP"], ["base"], all_pairs=False).comparisons
    gap = found.difference
    # gaps are equal on all queries, so the error is that of the seeds: t with 2 degrees of freedom
    assert (gap.mean, gap.p) == (pytest.approx(0.05), pytest.approx(0.1622, abs=2e-3))
    assert gap.low < 0 < gap.high
    once = compared(DatasetResult("d", rows=(plain, replace(several, seeds=()))), ["MAP"], ["base"], all_pairs=False)
    assert once.comparisons[0].difference.p < 0.001
