"""Metrics over a population: against trec_eval, LlamaRec's formula, and a bench whose first stage misses targets."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

import rr
from rr.data.collection import Collection
from rr.errors import DataError, RegistryError
from rr.measures import evaluate, metric, population
from rr.training.quality import ranking_quality
from rr.types import Dataset, Document, Query, Request, Scores
from rr_bench.data.load import load_dataset
from rr_bench.evaluate.results import BenchResult, Row
from rr_bench.evaluate.significance import difference, interval
from rr_bench.registry import CandidatePlan, SplitPlan, load_registry
from rr_bench.report.files import csv_text, markdown
from rr_bench.report.table import title
from tests.conftest import ROOT
from tests.preparing import prepare

TREC = {"nDCG@10": "ndcg_cut_10", "MRR": "recip_rank", "Recall@5": "recall_5", "Hit@10": "success_10", "MAP": "map"}

DOCUMENTS = [f"d{n}" for n in range(30)]


def dataset_of(
    run: Mapping[str, Mapping[str, float]], qrels: Mapping[str, Mapping[str, int]], **plan: object
) -> Dataset:
    """All queries are of the test split; the first stage is the run, 10 deep."""
    collection = Collection(
        {id_: Document(id_, "") for id_ in DOCUMENTS},
        {query_id: Query(query_id, "câu") for query_id in qrels},
        qrels,
        splits={"test": list(qrels)},
        run=run,
    )
    candidates = CandidatePlan.model_validate({"retriever": "run", "depth": 10, **plan})
    return prepare("n", collection, SplitPlan.model_validate({}), candidates)


def random_scores(ids: Sequence[str], generator: random.Random) -> dict[str, float]:
    return {id_: generator.random() for id_ in ids}


# values


@settings(deadline=None)
@given(seed=st.integers(0, 10_000), relevant=st.integers(1, 4), queries=st.integers(1, 12))
def test_the_values_are_those_of_trec_eval_on_the_population_and_all_users_is_the_mixture_of_llamarec(
    seed: int, relevant: int, queries: int
) -> None:
    generator = random.Random(seed)
    names = [f"q{n}" for n in range(queries)]
    first = {name: random_scores(generator.sample(DOCUMENTS, 20), generator) for name in names}
    qrels = {name: {id_: generator.randint(1, 3) for id_ in generator.sample(DOCUMENTS, relevant)} for name in names}
    dataset = dataset_of(first, qrels)
    valid, missed = [], []
    for name in names:
        best = sorted(first[name], key=lambda id_: -first[name][id_])[:10]
        (valid if any(id_ in qrels[name] for id_ in best) else missed).append(name)
    if not valid:
        with pytest.raises(DataError, match="has no queries"):
            population(dataset, "test", metric("MRR:valid-retrieval"))
        return
    reranked = {name: random_scores(dataset.candidates[name], generator) for name in names}
    retrieved = {name: dict(zip(dataset.candidates[name], dataset.first_stage[name], strict=True)) for name in names}
    evaluator = pytrec_eval.RelevanceEvaluator(qrels, set(TREC.values()))
    theirs, retriever = evaluator.evaluate(reranked), evaluator.evaluate(retrieved)
    for measure, trec in TREC.items():
        values = {}
        for name in ("valid-retrieval", "all-users"):
            over = metric(f"{measure}:{name}")
            values[name] = evaluate(reranked, dataset.qrels, population(dataset, "test", over), over)
        assert values["valid-retrieval"] == pytest.approx([theirs[name][trec] for name in valid])
        mixed = (sum(theirs[q][trec] for q in valid) + sum(retriever[q][trec] for q in missed)) / len(names)
        assert fmean(values["all-users"]) == pytest.approx(mixed)
        plain = evaluate(reranked, dataset.qrels, population(dataset, "test", metric(measure)), metric(measure))
        assert values["all-users"] == plain
        assert fmean(plain) == pytest.approx(fmean(values["valid-retrieval"]) * len(valid) / len(names))


def test_with_the_oracle_nobody_can_tell_what_the_first_stage_found() -> None:
    dataset = dataset_of({"q0": {"d1": 1.0}}, {"q0": {"d0": 1}}, protocol="oracle")
    assert population(dataset, "test", metric("MRR")) == ("q0",)
    for name in ("MRR:valid-retrieval", "MRR:all-users"):
        with pytest.raises(DataError, match=f"metric '{name}' is about .* set candidates.protocol: end-to-end"):
            population(dataset, "test", metric(name))


class Constant:
    info = rr.ModelInfo("logit")

    def score(self, requests: Sequence[Request]) -> list[Scores]:
        return [Scores(tuple(float(document.id == "d0") for document in request.candidates)) for request in requests]


def test_trainers_may_select_by_the_metric_of_a_population() -> None:
    dataset = dataset_of({"q0": {"d0": 1.0, "d1": 2.0}, "q1": {"d1": 1.0}}, {"q0": {"d0": 1}, "q1": {"d0": 1}})
    assert ranking_quality(Constant(), dataset, "test", "MRR") == 0.5
    assert ranking_quality(Constant(), dataset, "test", "MRR:all-users") == 0.5
    assert ranking_quality(Constant(), dataset, "test", "MRR:valid-retrieval") == 1.0


# names


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nDCG@10:valid", "metric 'nDCG@10:valid': no population is called 'valid'; did you mean 'valid-retrieval'?"),
        ("nDCG@10:All-Users", "metric .*: no population is called 'All-Users'; did you mean 'all-users'?"),
        ("MAP:", "metric 'MAP:': no population is called ''; known: all-users, valid-retrieval"),
        ("nDCG@10:all-users:x", "no population is called 'all-users:x'; did you mean 'all-users'?"),
        ("ndgc@10:all-users", "metric 'ndgc@10:all-users': no measure is called 'ndgc'; did you mean 'nDCG'?"),
        (":all-users", "metric ':all-users' is not written as nDCG@10, "),
    ],
)
def test_a_name_that_does_not_exist_is_answered_with_the_nearest(name: str, message: str, small_registry: Path) -> None:
    with pytest.raises(RegistryError, match=message.replace("?", r"\?")):
        metric(name)
    # in a registry it is noticed on reading, before anything is trained or scored
    text = small_registry.read_text(encoding="utf-8").replace("[nDCG@10, MRR@10]", f"[MRR, '{name}']")
    small_registry.write_text(text, encoding="utf-8")
    with pytest.raises(RegistryError, match=rf"small\.yaml: suites\.small\.metrics: .*{message}".replace("?", r"\?")):
        load_registry(small_registry)


# the bench


@pytest.fixture
def missing_registry(tmp_path: Path) -> Path:
    """24 queries; the first stage finds the target of every third one, among five candidates."""
    generator = random.Random(3)
    folder = tmp_path / "missing"
    folder.mkdir()
    lines: dict[str, list[dict[str, object]]] = {
        "documents": [{"id": id_, "text": f"phòng số {id_}"} for id_ in DOCUMENTS],
        "topics": [{"id": f"q{n}", "text": f"tìm {n}"} for n in range(24)],
    }
    for name, rows in lines.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    run = []
    for n in range(24):
        best = [*generator.sample(DOCUMENTS[1:], 4), "d0" if n % 3 == 0 else "d29"]
        generator.shuffle(best)
        run += [f"q{n} Q0 {id_} {rank} {-rank} first" for rank, id_ in enumerate(dict.fromkeys(best), 1)]
    (folder / "run.txt").write_text("\n".join(run) + "\n", encoding="utf-8")
    (folder / "qrels.txt").write_text("".join(f"q{n} 0 d0 1\n" for n in range(24)), encoding="utf-8")
    path = tmp_path / "missing.yaml"
    path.write_text(
        f"""
version: 1
default_profile: missing
profiles: {{missing: {{suite: missing}}}}
suites:
  missing:
    metrics: [nDCG@10:valid-retrieval, nDCG@10:all-users, nDCG@10]
    datasets:
      rooms:
        reader: trec
        options:
          documents: {folder}/documents.jsonl
          topics: {folder}/topics.jsonl
          qrels: {folder}/qrels.txt
          run: {folder}/run.txt
        split: {{test: 0.8}}
        candidates: {{retriever: run}}
rerankers:
  first-stage: {{reranker: first_stage}}
  random: {{reranker: random}}
""",
        encoding="utf-8",
    )
    return path


def rows_of(result: BenchResult) -> dict[str, Row]:
    return {row.reranker: row for row in result.datasets[0].rows}


def test_a_bench_whose_first_stage_misses_targets(missing_registry: Path) -> None:
    result = rr.bench(registry=missing_registry)
    (found,) = result.datasets
    dataset = load_dataset("rooms", load_registry(missing_registry).dataset("rooms"))
    test = dataset.splits["test"]
    valid = tuple(query_id for query_id in test if int(query_id[1:]) % 3 == 0)
    assert 0 < len(valid) < len(test)
    assert found.populations == {"valid-retrieval": valid, "all-users": test}
    qrels = {query_id: dict(dataset.qrels[query_id]) for query_id in test}
    values: dict[str, dict[str, float]] = {}
    for name in ("first-stage", "random"):
        reranker = rr.load(name, registry=missing_registry)
        run = {ranking.query.id: ranking.scores for ranking in reranker.rerank_all(dataset.requests("test"))}
        theirs = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut_10"}).evaluate(run)
        values[name] = {query_id: theirs[query_id]["ndcg_cut_10"] for query_id in test}
        row = rows_of(result)[name]
        for measure, ids in (("nDCG@10:valid-retrieval", valid), ("nDCG@10:all-users", test), ("nDCG@10", test)):
            expected = [values[name][query_id] for query_id in ids]
            assert row.per_query[measure] == pytest.approx(expected)
            assert row.metrics[measure] == interval(row.per_query[measure])
            assert row.metrics[measure].mean == pytest.approx(fmean(expected))
    # the difference is paired over the valid queries alone
    gap = rows_of(result)["random"].difference
    assert gap is not None
    assert gap.mean == pytest.approx(fmean(values["random"][q] - values["first-stage"][q] for q in valid))
    leading = [rows_of(result)[name].per_query["nDCG@10:valid-retrieval"] for name in ("random", "first-stage")]
    assert replace(gap, p_holm=None, p_bh=None) == difference(*leading)
    assert rows_of(result)["first-stage"].difference is None
    # how many they are stands above the table, and the columns keep their names
    assert f"; all users: {len(test)} of {len(test)}" in title(found)
    assert f"; valid retrieval: {len(valid)} of {len(test)}; " in title(found)
    assert title(found).removeprefix("rooms") in markdown(result)
    assert "or those of the population that a metric names" in markdown(result)
    columns = next(csv.reader(io.StringIO(csv_text(result))))
    assert {"nDCG@10:valid-retrieval low", "nDCG@10:all-users", "nDCG@10"} < set(columns)


def test_without_a_population_the_table_says_nothing_of_one(small_registry: Path) -> None:
    result = rr.bench(["first-stage"], registry=small_registry)
    assert result.datasets[0].populations == {}
    for word in ("population", "valid retrieval", "all users"):
        assert word not in markdown(result)


@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        ("{depth: 1, retriever: bm25}", "'nDCG@10:valid-retrieval' has no queries: bm25 put a relevant document among"),
        ("{protocol: oracle, retriever: run}", "'nDCG@10:valid-retrieval' is about what the first stage found"),
    ],
)
def test_a_population_without_queries_is_a_failure_and_no_figure(
    missing_registry: Path, monkeypatch: pytest.MonkeyPatch, candidates: str, message: str
) -> None:
    text = missing_registry.read_text(encoding="utf-8").replace("{retriever: run}", candidates)
    missing_registry.write_text(text, encoding="utf-8")
    result = rr.bench(registry=missing_registry)
    (found,) = result.datasets
    assert message in found.failure
    assert "\n" not in found.failure
    assert (found.rows, result.failed) == ((), True)
    assert "**rooms: FAILED** metric" in markdown(result)
    monkeypatch.setenv("RR_STRICT", "1")
    with pytest.raises(DataError, match=message):
        rr.bench(registry=missing_registry)


@pytest.mark.real
def test_real_llamarec(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RR_SHARED_DATA", str(shared_data))
    result = rr.bench(["first-stage", "random"], registry=ROOT / "examples" / "llamarec.yaml")
    assert [found.retriever for found in result.datasets] == ["markov", "item-knn", "popularity"]
    for found in result.datasets:
        assert (found.queries, found.documents) == ({"train": 610, "dev": 610, "test": 610}, 3650)
        assert found.mean_candidates == 20
        share = len(found.populations["valid-retrieval"]) / 610
        assert found.recall_ceiling == pytest.approx(share)
        assert share > 0
        for row in found.rows:
            assert row.failure == ""
            for name in ("nDCG@10", "MRR@10", "Recall@5", "Recall@10"):
                of_all, of_valid = (row.metrics[f"{name}:{over}"].mean for over in ("all-users", "valid-retrieval"))
                assert of_all == pytest.approx(of_valid * share)


@pytest.mark.parametrize("metrics", [["MRR:all-users"], ["MRR", "nDCG@10:valid-retrieval"]])
def test_rr_evaluate_takes_none_and_says_what_does_before_any_work(small_registry: Path, metrics: list[str]) -> None:
    name = next(one for one in metrics if ":" in one)
    line = (
        f"metric {name!r} is over what a first stage found, which neither 'rr eval' nor rr.evaluate asks: name it in "
        f"the metrics of the data set's suite and run 'rr bench' (rr.bench), or take ':{name.partition(':')[2]}' off"
    )
    asked = (
        {"reranker": "nobody", "dataset": "nowhere"},  # neither is looked for
        {"run": "no-such-file", "dataset": "rooms"},
        {"run": {"q": {"d": 1.0}}, "qrels": {"q": {"d": 1}}},
    )
    for one in asked:
        with pytest.raises(DataError) as caught:
            rr.evaluate(**one, metrics=metrics, registry=small_registry)  # type: ignore[arg-type]
        assert str(caught.value) == line


def test_a_bench_does_what_that_line_says(small_registry: Path) -> None:
    text = small_registry.read_text(encoding="utf-8")
    named = text.replace("metrics: [nDCG@10, MRR@10]", "metrics: ['nDCG@10:valid-retrieval', MRR@10]")
    small_registry.write_text(named, encoding="utf-8")
    (row,) = rr.bench(["bm25"], registry=small_registry).datasets[0].rows
    assert set(row.metrics) == {"nDCG@10:valid-retrieval", "MRR@10"}
    judged = rr.evaluate("bm25", "rooms", registry=small_registry)  # of the suite, all that it can
    assert judged.metrics == {"MRR@10": row.metrics["MRR@10"]}
