"""Position bias, measured on scorers whose bias is known."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from scipy.stats import binomtest

from rr.errors import RerankError
from rr.measures import evaluate, metric
from rr.protocols import ModelInfo
from rr.rerank.sort import Sort
from rr.types import Dataset, Document, Query, Request, Scores
from rr_bench.data.load import load_dataset
from rr_bench.evaluate.position import PositionBias, position_bias
from rr_bench.evaluate.significance import wilson
from rr_bench.permute import Permute
from rr_bench.registry import load_registry
from tests.conftest import ROOT, Rr
from tests.core.scorers import ByGold


def dataset_of(candidates: Mapping[str, Sequence[str]], qrels: Mapping[str, Mapping[str, int]]) -> Dataset:
    """Test queries only."""
    ids = sorted({id_ for row in candidates.values() for id_ in row})
    return Dataset(
        name="known",
        documents={id_: Document(id_, id_) for id_ in ids},
        queries={query_id: Query(query_id, query_id) for query_id in candidates},
        qrels=qrels,
        splits={"train": (), "dev": (), "test": tuple(candidates)},
        candidates={query_id: tuple(row) for query_id, row in candidates.items()},
        first_stage={query_id: (0.0,) * len(row) for query_id, row in candidates.items()},
        hard_negatives={},
        retriever="run",
        protocol="end-to-end",
        notes=(),
        fingerprint="f",
    )


def one_truth(queries: int = 200, candidates: int = 6) -> Dataset:
    """`d0` is relevant to every query; where it is first shown is drawn."""
    generator = random.Random(1)
    ids = [f"d{place}" for place in range(candidates)]
    rows = {f"q{n}": generator.sample(ids, candidates) for n in range(queries)}
    return dataset_of(rows, {query_id: {"d0": 1} for query_id in rows})


class Noisy:
    """Listwise: the truth gets 1 and everyone noise of query and document up to 2, and whoever is shown first gets
    `strength` more."""

    info = ModelInfo("logit", listwise=True)

    def __init__(self, strength: float) -> None:
        self._strength = strength
        self.calls: list[int] = []

    def score(self, requests: Sequence[Request]) -> list[Scores]:
        self.calls.append(len(requests))
        return [
            Scores(
                tuple(
                    (document.id == "d0")
                    + 2 * random.Random(f"{request.query.id} {document.id}").random()
                    + self._strength * (place == 0)
                    for place, document in enumerate(request.candidates)
                )
            )
            for request in requests
        ]


def test_a_scorer_that_always_takes_the_first_is_seen_through() -> None:
    found = position_bias(Noisy(strength=100.0), one_truth(), shuffles=6)
    assert [place.name for place in found.places] == list("ABCDEF")
    assert [place.chosen for place in found.places] == [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert [place.expected for place in found.places] == pytest.approx([1 / 6] * 6)
    for place in found.places:
        assert place.accuracy is not None
        assert place.accuracy.mean == float(place.name == "A")  # right where, and only where, the truth is first
        assert place.answers == 1200
        assert 100 < place.truths < 300
    assert sum(place.truths for place in found.places) == 1200
    assert found.accuracy.mean == pytest.approx(found.places[0].truths / 1200)
    assert found.tau < 0.8


def test_a_scorer_that_does_not_mind_the_place_is_not_accused() -> None:
    found = position_bias(Noisy(strength=0.0), one_truth(400), shuffles=5)
    assert found.tau == 1.0
    assert found.accuracy == found.averaged
    assert (found.gain.mean, found.gain.p) == (0.0, 1.0)
    assert -0.01 < found.gain.low < 0 < found.gain.high < 0.01  # 400 queries cannot exclude a rare one that differs
    assert found.notes == ("Δ: only 0 of 400 differences are not 0",)
    for place in found.places:
        assert place.accuracy is not None
        assert place.accuracy.mean == pytest.approx(found.accuracy.mean, abs=0.08)
        assert place.chosen == pytest.approx(place.expected, abs=0.03)


def test_a_liking_shows_at_its_place_and_averaging_mends_it() -> None:
    fair = position_bias(Noisy(strength=0.0), one_truth(400), shuffles=6)
    biased = position_bias(Noisy(strength=1.5), one_truth(400), shuffles=6)
    first, *others = biased.places
    assert first.chosen > 2 * first.expected
    for place in others:
        assert place.chosen < place.expected
        assert first.accuracy is not None
        assert place.accuracy is not None
        assert first.accuracy.low > place.accuracy.high
    assert biased.accuracy.mean < fair.accuracy.mean - 0.1
    assert biased.gain.low > 0
    assert biased.gain.mean == pytest.approx(biased.averaged.mean - biased.accuracy.mean)
    assert biased.accuracy.mean < biased.averaged.mean <= fair.accuracy.mean + 0.02


def test_the_averaged_accuracy_is_hit_1_of_permuting_and_tau_is_its_diagnostic() -> None:
    data, scorer = one_truth(60), Noisy(strength=1.5)
    found = position_bias(scorer, data, shuffles=4, seed=3)
    rankings = Sort(Permute(scorer, 4, "random", 3)).rerank(data.requests("test"))
    run = {ranking.query.id: ranking.scores for ranking in rankings}
    hits = evaluate(run, data.qrels, data.splits["test"], metric("Hit@1"))
    assert found.averaged.mean == pytest.approx(sum(hits) / len(hits))
    assert found.tau == pytest.approx(sum(ranking.diagnostics["tau"] for ranking in rankings) / len(rankings))


def test_all_orders_are_scored_together_and_one_order_apart() -> None:
    scorer = Noisy(strength=0.0)
    found = position_bias(scorer, one_truth(7), shuffles=3)
    assert scorer.calls == [1, 7, 21]  # the warm-up, one order, three orders
    assert found.ms_one > 0
    assert found.ms_averaged > 0


def test_queries_that_cannot_tell_anything_are_left_out_and_counted() -> None:
    rows = {"plain": ["d0", "d1", "d2"], "missed": ["d1", "d2"], "alone": ["d0"], "empty": [], "two": ["d0", "d1"]}
    data = dataset_of(rows, {query_id: {"d0": 1} for query_id in rows})
    found = position_bias(ByGold({"d0": 2.0, "d1": 1.0, "d2": 0.0}), data, shuffles=6)
    assert (found.queries, found.too_few, found.without_truth) == (3, 2, 1)
    assert found.accuracy.mean == found.averaged.mean == 1.0
    # 3 candidates have 6 orders, 2 have 2: the truth of `plain` stands twice at each place, that of `two` once
    assert [(place.truths, place.answers) for place in found.places] == [(3, 10), (3, 10), (2, 6)]
    assert [place.expected for place in found.places] == pytest.approx([0.4, 0.4, 1 / 3])
    assert [place.chosen for place in found.places] == pytest.approx([0.4, 0.4, 1 / 3])


def test_several_truths_count_each_at_its_place_and_a_grade_of_0_is_none() -> None:
    data = dataset_of({"q": ["d0", "d1", "d2"]}, {"q": {"d0": 1, "d1": 2, "d2": 0}})
    found = position_bias(ByGold({"d0": 0.0, "d1": 2.0, "d2": 1.0}), data, shuffles=6)
    assert [place.truths for place in found.places] == [4, 4, 4]
    assert [place.accuracy and place.accuracy.mean for place in found.places] == [1.0, 1.0, 1.0]


def test_ties_go_by_id_and_not_by_place() -> None:
    found = position_bias(ByGold(dict.fromkeys([f"d{n}" for n in range(6)], 0.5)), one_truth(100), shuffles=5)
    assert found.accuracy.mean == 0.0  # d5 has the highest id
    assert found.tau == 0.0
    assert all(place.chosen < 0.25 for place in found.places)


def test_a_place_beyond_the_letters_has_a_number_and_one_without_a_truth_no_accuracy() -> None:
    ids = [f"d{n:02}" for n in range(54)]
    data = dataset_of({"q": ids}, {"q": {"d07": 1}})
    found = position_bias(ByGold(dict.fromkeys(ids, 0.0)), data, shuffles=2)
    assert [found.places[n].name for n in (0, 25, 26, 51, 52, 53)] == ["A", "Z", "a", "z", "53", "54"]
    assert sum(place.accuracy is None for place in found.places) == 52


def test_what_cannot_be_measured_is_one_line() -> None:
    class Pointwise(ByGold):
        info = ModelInfo("logit")

    gold = {f"d{place}": 1.0 for place in range(6)}
    missed = dataset_of({"q": ["d1", "d2"]}, {"q": {"d0": 1}})
    for scorer, data, shuffles, words in (
        (Pointwise(gold), one_truth(3), 5, "cannot depend on a candidate's place"),
        (ByGold(gold), one_truth(3), 1, "1 shuffles cannot be compared"),
        (ByGold(gold, limit=4), one_truth(3), 5, "a query has 6 candidates and the scorer takes 4 at once"),
        (ByGold(gold), missed, 5, "known: no test query has its truth among two or more candidates"),
        (ByGold(gold), dataset_of({"q": ["d0"]}, {"q": {"d0": 1}}), 5, "no test query has its truth"),
    ):
        with pytest.raises(RerankError, match=words) as caught:
            position_bias(scorer, data, shuffles)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("successes", "trials"), [(0, 1), (1, 1), (3, 10), (0, 50), (50, 50), (480, 1000)])
def test_wilson_is_that_of_scipy(successes: int, trials: int) -> None:
    found = wilson(successes, trials)
    theirs = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    assert found.mean == successes / trials
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


# the command


FIRST = """
import rr


@rr.hookimpl
def rr_register_scorers():
    return [rr.Component("first", "rr_first:First", "Likes whoever is shown first")]


class First:
    info = rr.ModelInfo(scale="logit", listwise=True)

    def __init__(self, settings, checkpoint=None):
        pass

    def score(self, requests):
        return [[1.0, *[0.0] * (len(request.candidates) - 1)] for request in requests]
"""


@pytest.fixture
def first_plugin(tmp_path: Path) -> str:
    """A folder for PYTHONPATH that holds an installed plugin."""
    folder = tmp_path / "plugin"
    metadata = folder / "rr_first-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / "rr_first.py").write_text(FIRST, encoding="utf-8")
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: rr-first\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text("[rr.plugins]\nfirst = rr_first\n", encoding="utf-8")
    return str(folder)


def test_the_command_prints_and_writes_what_was_measured(
    rr_command: Rr, small_registry: Path, tmp_path: Path, first_plugin: str
) -> None:
    text = small_registry.read_text(encoding="utf-8")
    small_registry.write_text(text + "  mine: {scorer: first, permutations: 4}\n", encoding="utf-8")
    out = tmp_path / "bias.json"
    path = os.pathsep.join([first_plugin, os.environ.get("PYTHONPATH", "")])
    common = ("-d", "rooms", "--registry", small_registry, "--shuffles", "4", "--json", out)
    ended = rr_command("bias", "mine", *common, PYTHONPATH=path)
    assert ended.returncode == 0, ended.stderr
    lines = {line.split()[0]: line.split() for line in ended.stdout.splitlines() if line.strip()}
    assert ended.stdout.startswith("mine (no weights) on rooms, data ")
    assert lines["A"][-2:] == ["1.000", "0.167"]
    assert "Kendall τ between orders: " in ended.stdout
    assert "accuracy of 4 averaged: " in ended.stdout
    content = json.loads(out.read_text(encoding="utf-8"))
    dataset = load_dataset("rooms", load_registry(small_registry).dataset("rooms"))
    assert (content["reranker"], content["dataset"], content["data"]) == ("mine", "rooms", dataset.fingerprint)
    assert content.keys() > set(PositionBias.__dataclass_fields__)
    assert [place["chosen"] for place in content["places"]] == [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bi-encoder", "its accuracy cannot depend on a candidate's place"),
        ("random", "is a reranker of its own"),
        ("bm52", "did you mean 'bm25'?"),
    ],
)
def test_the_command_refuses_what_has_no_such_bias(rr_command: Rr, small_registry: Path, name: str, words: str) -> None:
    ended = rr_command("bias", name, "-d", "rooms", "--registry", small_registry)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("error: ")
    assert words in ended.stderr


def test_the_command_takes_a_checkpoint_and_no_single_shuffle(rr_command: Rr) -> None:
    packaged = ROOT / "registry.yaml"
    ended = rr_command("bias", "letters", "-d", "films", "--checkpoint", "nowhere", "--registry", packaged)
    assert ended.returncode == 2
    assert "nowhere: no checkpoint" in ended.stderr
    assert rr_command("bias", "letters", "-d", "films", "--shuffles", "1", "--registry", packaged).returncode == 2
