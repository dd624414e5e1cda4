"""Cross-validation by query: how folds are dealt, what stays the same in all of them, and what their figures are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import rr
from rr import Component, DataError, Dataset, ModelInfo, OnEvent, Request, RerankError, Settings, TrainingEvent
from rr.files import home
from rr.measures import evaluate, metric
from rr.registry.plugins import Plugins, Registered, installed_plugins
from rr.types import Document, Query
from rr_bench.data.load import load_dataset, load_folds
from rr_bench.data.splits import draw_folds
from rr_bench.evaluate.folds import pooled
from rr_bench.evaluate.results import BenchResult, DatasetResult, Row
from rr_bench.evaluate.significance import Interval, difference, t_interval
from rr_bench.registry import load_registry
from rr_bench.report.table import cells, explanation, title
from tests.bench.test_cli import failed
from tests.bench.test_splits_and_candidates import candidate_plan, queries_only, split_plan, with_run
from tests.conftest import Rr
from tests.preparing import prepare, prepare_folds

# --- dealing


@settings(deadline=None)
@given(
    members=st.lists(st.sampled_from([None, None, *"abcdefgh"]), min_size=20, max_size=60),
    folds=st.integers(2, 5),
    seed=st.integers(0, 50),
    dev=st.floats(0.05, 0.3),
)
def test_folds_partition_the_queries_and_keep_groups_whole(
    members: list[str | None], folds: int, seed: int, dev: float
) -> None:
    queries = [f"q{place}" for place in range(len(members))]
    groups = {f"q{place}": group for place, group in enumerate(members) if group is not None}
    of_group = {q: {p for p in queries if groups.get(p, p) == groups.get(q, q)} for q in queries}
    try:
        splits, notes = draw_folds(queries_only(len(members), groups=groups), split_plan(seed=seed, dev=dev), folds)
    except DataError:
        # few groups, or one as large as a fold: the last of the others' groups went to dev
        largest = max(map(len, of_group.values()))
        assert len({groups.get(q, q) for q in queries}) < 4 * folds or 2 * folds * largest > len(queries)
        return
    assert len(splits) == folds
    assert notes == []
    assert sorted(q for split in splits for q in split["test"]) == sorted(queries)
    for split in splits:
        assert sorted(q for query_ids in split.values() for q in query_ids) == sorted(queries)
        for query_ids in split.values():
            assert query_ids == tuple(q for q in queries if q in query_ids)
            assert all(of_group[q] <= set(query_ids) for q in query_ids)
        others = len(split["train"]) + len(split["dev"])
        assert dev * others <= len(split["dev"]) < dev * others + max(map(len, of_group.values()))
    tested = [len(split["test"]) for split in splits]
    assert max(tested) - min(tested) <= max(map(len, of_group.values()))


def test_folds_are_those_of_the_seed_whatever_the_order_of_the_source() -> None:
    collection = queries_only(50)
    backwards = queries_only(50, queries=dict(reversed(collection.queries.items())))
    first, again, turned = (draw_folds(data, split_plan(seed=5), 5)[0] for data in (collection, collection, backwards))
    other, _ = draw_folds(collection, split_plan(seed=6), 5)
    assert first == again
    assert [{name: set(ids) for name, ids in split.items()} for split in turned] == [
        {name: set(ids) for name, ids in split.items()} for split in first
    ]
    assert {split["test"] for split in other} != {split["test"] for split in first}
    assert [len(split["test"]) for split in first] == [10] * 5


def test_what_folds_leave_aside_is_told() -> None:
    qrels = {f"q{place}": {"d0": 1} for place in range(30)}
    source = {"train": [f"q{place}" for place in range(20)], "test": [f"q{place}" for place in range(20, 29)]}
    collection = queries_only(31, qrels=qrels, splits=source)
    splits, notes = draw_folds(collection, split_plan(max_train=2, max_test=1), 3)
    assert sorted(q for split in splits for q in split["test"]) == sorted([*source["train"], *source["test"]])
    assert notes == [
        "1 queries without a judgement left out: q30",
        "every query is tested once, so max_train, max_test of the split do not apply",
        "the splits of the source are not kept: their queries are dealt out anew",
    ]
    with pytest.raises(DataError, match="6 folds need as many groups of queries, and there are 5; ask for fewer"):
        draw_folds(queries_only(5), split_plan(), 6)
    with pytest.raises(DataError, match="2 folds of 2 queries leave none to train on, or none for dev"):
        draw_folds(queries_only(2), split_plan(), 2)


@pytest.mark.parametrize("retriever", ["popularity", "item-knn", "markov"])
def test_a_first_stage_that_learns_is_refused(retriever: str) -> None:
    with pytest.raises(DataError, match=f"does not learn from the train split, and {retriever} does"):
        prepare_folds("n", queries_only(30), split_plan(), candidate_plan(retriever=retriever), 3)


def test_sequential_data_are_refused() -> None:
    queries = {f"q{n}": Query(f"q{n}", "xem", (Document("d0", ""),)) for n in range(30)}
    collection = queries_only(30, queries=queries, qrels={name: {"d1": 1} for name in queries})
    with pytest.raises(DataError, match="not for sequential data"):
        prepare_folds("n", collection, split_plan(), candidate_plan(), 3)


@pytest.mark.parametrize("protocol", ["end-to-end", "oracle"])
def test_all_folds_have_the_candidates_of_the_whole_data_set(protocol: str) -> None:
    collection, plan = with_run(30, 40, 15), candidate_plan(retriever="run", depth=10, protocol=protocol)
    whole = prepare("n", collection, split_plan(), plan)
    folds = prepare_folds("n", collection, split_plan(), plan, 3)
    for fold in folds:
        assert (fold.name, fold.documents, fold.retriever, fold.protocol) == ("n", whole.documents, "run", protocol)
        for field in ("queries", "qrels", "candidates", "first_stage"):
            assert getattr(fold, field) == getattr(whole, field)
    assert len({dataset.fingerprint for dataset in (*folds, whole)}) == 4


def test_folds_are_kept(small_registry: Path) -> None:
    entry = load_registry(small_registry).dataset("rooms")
    first, again = (load_folds("rooms", entry, 3) for _ in range(2))
    assert first == again
    assert sorted(path.name[-9:] for path in (home() / "data").iterdir()) == [f"-fold{n}of3" for n in (1, 2, 3)]
    assert load_folds("rooms", entry, 2) != first
    assert load_dataset("rooms", entry).fingerprint not in {fold.fingerprint for fold in first}


# --- figures


@pytest.mark.parametrize("means", [(0.25, 0.5), (0.2, 0.4, 0.9), (0.1, 0.2, 0.3, 0.4, 0.75), (0.5,) * 10])
def test_the_interval_is_that_of_student(means: tuple[float, ...]) -> None:
    found = t_interval(means)
    assert found.mean == pytest.approx(sum(means) / len(means))
    if len(set(means)) > 1:
        expected = stats.t.interval(0.95, len(means) - 1, loc=found.mean, scale=stats.sem(means))
        assert (found.low, found.high) == pytest.approx(expected, abs=1e-12)
    else:
        assert found.low == found.high == found.mean


def result(names: Sequence[str], **row: Any) -> DatasetResult:
    """A fold of these test queries with one reranker."""
    values = tuple(float(len(name)) for name in names)
    measured: dict[str, Any] = {
        "metrics": {"MAP": Interval(sum(values) / len(values), 0, 0)},
        "per_query": {"MAP": values},
    }
    return DatasetResult(
        "n", names[0], query_ids=tuple(names), mean_candidates=len(names), rows=(Row("one", **{**measured, **row}),)
    )


def test_rows_of_folds_become_one() -> None:
    first = result(["a", "bb", "ccc"], state="trained", notes=("x", "y"), train_seconds=2.0, ms_per_query=10.0)
    other = result(["dddd"], state="trained", notes=("x", "z"), train_seconds=3.0, ms_per_query=30.0)
    found = pooled([first, other])
    (row,) = found.rows
    assert found.query_ids == ("a", "bb", "ccc", "dddd")
    assert found.mean_candidates == (3 + 3 + 3 + 1) / 4
    assert [fold.fingerprint for fold in found.folds] == ["a", "dddd"]
    assert row.per_query == {"MAP": (1.0, 2.0, 3.0, 4.0)}
    assert row.folds == {"MAP": (2.0, 4.0)}
    assert row.metrics["MAP"].mean == 3.0  # of the folds, not 2.5 of the queries
    assert (row.state, row.train_seconds, row.ms_per_query) == ("trained", 5.0, 15.0)
    assert row.notes == ("x", "fold 1: y", "fold 2: z")


def test_diagnostics_and_speed_are_over_all_queries() -> None:
    first = result(["a", "b", "c"], diagnostics={"tied": 0.5}, ms_per_query=10.0, pairs_per_second=1000.0)
    other = result(["d"], diagnostics={"tied": 0.1, "uniform": 1.0}, ms_per_query=50.0, pairs_per_second=200.0)
    (row,) = pooled([first, other]).rows
    assert row.diagnostics == pytest.approx({"tied": 0.4, "uniform": 0.25})
    assert row.train_seconds is None
    assert row.pairs_per_second == pytest.approx((30 + 10) / (0.03 + 0.05))


def test_a_bench_in_folds_is_its_folds_side_by_side(small_registry: Path) -> None:
    text = small_registry.read_text(encoding="utf-8")
    text = text.replace("metrics: [nDCG@10, MRR@10]", 'metrics: [nDCG@10, MRR@10, "Hit@1:valid-retrieval"]')
    small_registry.write_text(text.replace("reader: jsonl", "reader: jsonl\n        candidates: {depth: 2}"), "utf-8")
    found = rr.bench(["bm25", "random", "first-stage"], folds=3, registry=small_registry)
    (data,) = found.datasets
    rows = {row.reranker: row for row in data.rows}
    folds = load_folds("rooms", load_registry(small_registry).dataset("rooms"), 3)
    assert data.query_ids == tuple(q for fold in folds for q in fold.splits["test"])
    assert len(set(data.query_ids)) == 12
    for name, row in rows.items():
        reranker = rr.load(name, registry=small_registry)
        for measure in ("nDCG@10", "MRR@10"):
            values = []
            for fold in folds:
                run = {r.query.id: r.scores for r in reranker.rerank_all(fold.requests("test"))}
                values.append(evaluate(run, fold.qrels, fold.splits["test"], metric(measure)))
            assert row.per_query[measure] == tuple(value for of_fold in values for value in of_fold)
            means = [sum(of_fold) / len(of_fold) for of_fold in values]
            assert row.folds[measure] == pytest.approx(means)
            assert row.metrics[measure] == t_interval(row.folds[measure])
        assert len(row.per_query["Hit@1:valid-retrieval"]) == len(data.populations["valid-retrieval"])
    expected = difference(rows["bm25"].per_query["nDCG@10"], rows["first-stage"].per_query["nDCG@10"])
    assert rows["bm25"].difference is not None
    assert replace(rows["bm25"].difference, p_holm=None, p_bh=None) == expected
    assert rows["first-stage"].difference is None
    assert "queries 12 in 3 folds; " in title(data)
    assert data.notes[0] == "3 folds by query; mean and 95 % t interval over folds"
    assert "95 % Student t over the folds' means" in explanation(found)
    again = rr.bench(["bm25", "random", "first-stage"], folds=3, registry=small_registry)
    assert all(row.scores_from_store for row in again.datasets[0].rows)
    assert again.datasets[0].fingerprint == data.fingerprint
    with pytest.raises(RerankError, match="at least 2 folds, not 1"):
        rr.bench(["bm25"], folds=1, registry=small_registry)


class Scorer:
    info = ModelInfo(scale="logit")

    def __init__(self, settings: Settings, checkpoint: Path | None = None) -> None:
        self._score = float((checkpoint / "score").read_text()) if checkpoint else 0.0

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        return [[self._score] * len(request.candidates) for request in requests]


class Trainer:
    """Cannot do without one query; notes what it was given."""

    seen: list[Dataset]

    class Settings(Settings):
        needs: str = ""

    def __init__(self, settings: Any, scorer_settings: Settings) -> None:
        self._needs = settings.needs

    def train(self, dataset: Dataset, out: Path, on_event: OnEvent) -> None:
        self.seen.append(dataset)
        if self._needs and self._needs not in dataset.queries:
            raise RerankError("needs it")
        on_event(TrainingEvent(1, 1, loss=1.0))
        (out / "score").write_text("1")


def trained_in_folds(registry: Path, monkeypatch: pytest.MonkeyPatch, needs: str) -> tuple[BenchResult, list[Dataset]]:
    monkeypatch.setattr(Trainer, "seen", [], raising=False)
    text = registry.read_text(encoding="utf-8")
    toy = f"  toy: {{scorer: toy, trainer: toy, training: {{needs: '{needs}'}}}}\n"
    registry.write_text(text + toy, encoding="utf-8")
    ours = [
        Registered(Component("toy", f"{__name__}:Scorer", ""), "scorer", "toy", "toy", "1"),
        Registered(Component("toy", f"{__name__}:Trainer", ""), "trainer", "toy", "toy", "1"),
    ]
    plugins = Plugins([*installed_plugins().components, *ours])
    return rr.bench(["bm25", "toy"], folds=3, registry=registry, plugins=plugins), Trainer.seen


def test_each_fold_is_trained_on_without_its_test_queries(
    small_registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, seen = trained_in_folds(small_registry, monkeypatch, "")
    folds = load_folds("rooms", load_registry(small_registry).dataset("rooms"), 3)
    assert [dataset.fingerprint for dataset in seen] == [fold.fingerprint for fold in folds]
    checkpoints = list((home() / "checkpoints").iterdir())
    assert len(checkpoints) == 3
    seconds = [json.loads((folder / "training_info.json").read_text())["seconds"] for folder in checkpoints]
    assert found.datasets[0].rows[1].train_seconds == pytest.approx(sum(seconds))
    assert found.datasets[0].rows[1].verdict == "fault"
    flat = [one["evidence"] for one in found.datasets[0].rows[1].findings if one["check"] == "steps"]
    assert flat == [f"fold {number}: 1 steps" for number in (1, 2, 3)]
    weights = found.datasets[0].rows[1].weights
    assert [one.checkpoint for one in weights] == [checkpoint_of(fold.fingerprint) for fold in folds]
    assert [(one.dataset, one.data_fingerprint) for one in weights] == [("rooms", fold.fingerprint) for fold in folds]
    told = cells(found.datasets[0].rows[1], found)[-1]
    for number, one in enumerate(weights, 1):
        assert f"fold {number}: checkpoint {one.checkpoint} ({one.fingerprint[:12]}), trained on rooms, data" in told


def checkpoint_of(data: str) -> str:
    """The name of the folder of the checkpoint that was trained on the data of this fingerprint."""
    records = (home() / "checkpoints").glob("*/training_info.json")
    (found,) = [path.parent.name for path in records if json.loads(path.read_text())["data"]["fingerprint"] == data]
    return found


def test_a_fold_that_fails_fails_the_row_and_is_not_trained_further(
    small_registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folds = load_folds("rooms", load_registry(small_registry).dataset("rooms"), 3)
    found, seen = trained_in_folds(small_registry, monkeypatch, folds[1].splits["test"][0])
    bm25, toy = found.datasets[0].rows
    assert toy.failure == "fold 2 of 3: needs it"
    assert "RerankError: needs it" in toy.traceback
    assert toy.metrics == toy.per_query == toy.folds == {}
    assert len(seen) == 2
    assert not bm25.failure
    assert len(bm25.per_query["nDCG@10"]) == 12


def test_a_population_without_queries_names_the_fold(small_registry: Path) -> None:
    text = small_registry.read_text(encoding="utf-8")
    text = text.replace("metrics: [nDCG@10, MRR@10]", 'metrics: ["nDCG@10:valid-retrieval"]')
    one = "reader: jsonl\n        candidates: {depth: 1, retriever: bm25}"
    small_registry.write_text(text.replace("reader: jsonl", one), encoding="utf-8")
    documents = small_registry.parent / "small" / "qrels.jsonl"
    rows = [{"query": f"q{n}", "document": f"d{n % 6 if n == 0 else (n + 1) % 6}"} for n in range(12)]
    documents.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (data,) = rr.bench(["bm25"], folds=3, registry=small_registry).datasets
    assert data.failure.startswith("fold ")
    assert "has no queries" in data.failure
    assert data.rows == ()


def test_the_command_in_folds(rr_command: Rr, small_registry: Path, tmp_path: Path) -> None:
    common = ("--registry", small_registry, "--folds")
    ended = rr_command("bench", "bm25", "first-stage", *common, "3", "--out", tmp_path / "out")
    assert ended.returncode == 0, ended.stderr
    assert "note: 3 folds by query; mean and 95 % t interval over folds" in ended.stdout
    written = json.loads((tmp_path / "out" / "bench.json").read_text(encoding="utf-8"))["datasets"][0]
    assert [sum(fold["queries"].values()) for fold in written["folds"]] == [12, 12, 12]
    assert [len(row["folds"]["nDCG@10"]) for row in written["rows"]] == [3, 3]
    many = rr_command("bench", "bm25", *common, "13")
    assert many.returncode == 1
    assert "13 folds need as many groups of queries, and there are 12; ask for fewer" in many.stdout
    assert "Traceback" not in many.stderr
    failed(rr_command("bench", "bm25", "-d", "room", *common, "3"), "did you mean 'rooms'?")
    assert rr_command("bench", "bm25", *common, "1").returncode == 2
