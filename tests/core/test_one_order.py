"""Rankings, runs, cutoffs and metrics put the same documents in the same order: that of trec_eval, in 32 bits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from rr import Document, ModelInfo, Query, Request, Scores, ScoringError
from rr.data.collection import Collection
from rr.measures import metric
from rr.rerank.sort import Sort, Window
from rr.types import Ranking, float32, lost_in_32_bits, trec_order
from rr_bench.loading import Checked
from rr_bench.permute import Permute
from rr_bench.registry import CandidatePlan, SplitPlan
from rr_bench.stream.runs import read_run, run_lines, scores
from rr_torch.answers import by_request, sigmoid
from tests.preparing import prepare

CLOSE = st.sampled_from(
    [0.1, 0.1 + 1e-12, 1.0, 1.0 + 1e-9, 1e39, 2e39, -1e39, 1e-46, 0.0, -1e-46, 16777216.0, 16777217.0]
)


def request_of(count: int) -> Request:
    return Request(Query("q", "x"), tuple(Document(f"d{n}", "t") for n in range(count)))


def reciprocal_rank(run: dict[str, float], judged: dict[str, int]) -> float:
    evaluator = pytrec_eval.RelevanceEvaluator({"q": judged}, {"recip_rank"})
    return float(evaluator.evaluate({"q": run})["q"]["recip_rank"])


@given(st.lists(CLOSE, min_size=1, max_size=12))
def test_a_ranking_stands_in_the_order_that_trec_eval_reads_from_its_run(values: list[float]) -> None:
    ranking = Ranking.from_scores(request_of(len(values)), values)
    for item in ranking.items:
        assert reciprocal_rank(ranking.run, {item.document.id: 1}) == pytest.approx(1 / item.rank)
        assert metric("MRR").per_query(ranking.run, {item.document.id: 1}) == 1 / item.rank


def test_a_cutoff_of_candidates_is_that_of_the_metrics() -> None:
    """In 64 bits a is first; in 32 bits all are tied, and the best two are e and f."""
    found = {name: 1.0 + (6 - place) * 1e-12 for place, name in enumerate("abcdef")}
    assert trec_order(found)[:2] == ["f", "e"]
    for depth in (2, 6):
        kept = {id_: found[id_] for id_ in trec_order(found)[:depth]}
        assert metric("nDCG@10").per_query(kept, {"f": 1}) == 1.0
        assert metric("nDCG@10").per_query(kept, {"a": 1}) == (0.0 if depth == 2 else pytest.approx(0.3562, abs=1e-4))


def test_a_run_on_disk_reads_back_in_the_order_of_the_ranking(tmp_path: Path) -> None:
    ranking = Ranking.from_scores(request_of(4), [1.0, 1.0 + 1e-12, 2.0, 1e39])
    (tmp_path / "run").write_text(run_lines(ranking, "tag"), encoding="utf-8")
    (block,) = read_run(tmp_path / "run")
    assert trec_order(scores(block)) == [row.id("document") for row in block] == list(ranking.scores)
    assert [row.fields["rank"] for row in block] == ["1", "2", "3", "4"]


def test_scores_that_32_bits_cannot_tell_apart_are_said(caplog: pytest.LogCaptureFixture) -> None:
    documents = {f"d{n}": Document(f"d{n}", f"text {n}") for n in range(4)}
    queries = {f"q{n}": Query(f"q{n}", f"query {n}") for n in range(10)}
    run = {q: {f"d{n}": 1e7 + n * (0.01 if q in ("q1", "q2") else 10.0) for n in range(4)} for q in queries}
    collection = Collection(documents, queries, {q: {"d1": 1} for q in queries}, run=run)
    dataset = prepare("close", collection, SplitPlan(dev=0.2, test=0.4), CandidatePlan(retriever="run"))
    assert "queries with first-stage scores that 32 bits cannot tell apart, tied as in trec_eval: 2" in dataset.notes


def test_float32_is_that_of_trec_eval_and_numpy() -> None:
    import numpy as np

    values = [0.1, 1e39, -1e39, 3.4028235e38, 3.4028235677973366e38, 3.4028235677973362e38, 1e-46, 16777217.0]
    with np.errstate(over="ignore"):
        assert float32(values) == tuple(float(np.float32(value)) for value in values)
    assert float32([]) == ()
    assert lost_in_32_bits([1.0, 1.0 + 1e-12])
    assert not lost_in_32_bits([1.0, 1.0, 2.0])


# saturated probabilities


class Saturated:
    info = ModelInfo("probability")
    logits = (30.0, 18.0, 40.0, -2.0, 25.0)

    def score(self, requests: Sequence[Request]) -> list[Scores]:
        flat = [self.logits[number(d.id)] for r in requests for d in r.candidates]
        return by_request(requests, flat, [False] * len(flat), "probability")


def number(id_: str) -> int:
    return int(id_.removeprefix("d"))


def test_saturated_probabilities_are_ranked_by_their_logits() -> None:
    assert len({*float32(map(sigmoid, Saturated.logits))}) == 2  # all but one are 1
    expected = ["d2", "d0", "d4", "d1", "d3"]
    (ranking,) = Sort(Saturated()).rerank([request_of(5)])
    assert list(ranking.scores) == list(ranking.run) == expected
    assert ranking.diagnostics["tied"] == 0.0
    assert ranking.items[0].score == sigmoid(40.0)
    assert metric("MRR").per_query(ranking.run, {"d2": 1}) == 1.0
    (windowed,) = Window(Saturated(), 3, 1).rerank([request_of(5)])
    assert windowed.items[0].document.id == "d2"
    (own,) = Checked(Sort(Saturated())).rerank([request_of(5)])
    assert list(own.run.items()) == list(ranking.run.items())


class Listwise(Saturated):
    info = ModelInfo("probability", listwise=True)


def test_orders_that_are_averaged_keep_what_belongs_to_whom() -> None:
    (answer,) = Permute(Listwise(), 3).score([request_of(5)])
    assert answer.values == pytest.approx([sigmoid(logit) for logit in Saturated.logits])
    assert answer.diagnostics["tau"] == 1.0


@pytest.mark.parametrize(
    ("values", "ranked_by", "problem"),
    [
        ((0.1, 0.9), (2.0, 1.0), "another order"),
        ((0.1, 0.9), (2.0,), "one finite number a candidate"),
        ((0.1, 0.9), (1.0, float("nan")), "one finite number a candidate"),
        ((0.1, 0.9), ("a", "b"), "not a flat sequence"),
    ],
)
def test_what_is_ranked_by_must_not_contradict_the_scores(values: tuple, ranked_by: tuple, problem: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ScoringError, match=problem):
        Ranking.from_scores(request_of(2), Scores(values, {}, ranked_by))


def test_a_rerankers_own_order_must_be_that_of_its_scores() -> None:
    good = Ranking.from_scores(request_of(3), [1.0, 2.0, 3.0])

    class Upside:
        info = ModelInfo("rank")

        def rerank(self, requests: Sequence[Request]) -> list[Ranking]:
            return [Ranking(good.query, good.items[::-1])]

    with pytest.raises(ScoringError, match="not in the order of their scores"):
        Checked(Upside()).rerank([request_of(3)])
