"""From a collection to a data set: splits, first stages, frozen candidates, the store on disk, and negatives."""

from __future__ import annotations

import json
import math
import os
import random
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rr.data.collection import Collection
from rr.errors import DataError
from rr.training.negatives import hard_negatives, random_negatives
from rr.training.quality import ranking_quality
from rr.types import Dataset, Document, HardNegative, Query, trec_order
from rr_baselines.text import words
from rr_bench.data import prepare as preparing
from rr_bench.data.load import load_dataset
from rr_bench.data.prepare import dataset_fingerprint
from rr_bench.data.references import consistent
from rr_bench.data.splits import draw_splits, limit_splits
from rr_bench.data.store import read_dataset, write_dataset
from rr_bench.registry import CandidatePlan, DatasetEntry, SplitPlan
from tests.core.scorers import ByGold
from tests.preparing import fitted, prepare, prepare_folds


def split_plan(**values: object) -> SplitPlan:
    return SplitPlan.model_validate(values)


def candidate_plan(**values: object) -> CandidatePlan:
    return CandidatePlan.model_validate(values)


def documents_of(texts: Sequence[str] | Mapping[str, str]) -> dict[str, Document]:
    rows = texts if isinstance(texts, Mapping) else {f"d{place}": text for place, text in enumerate(texts)}
    return {id_: Document(id_, text) for id_, text in rows.items()}


def queries_only(count: int, **values: Any) -> Collection:
    """`count` queries, each with one relevant document out of three."""
    queries = {f"q{place}": Query(f"q{place}", f"câu {place}") for place in range(count)}
    qrels = {query_id: {f"d{place % 3}": 1} for place, query_id in enumerate(queries)}
    return Collection(**{"documents": documents_of(["a", "b", "c"]), "queries": queries, "qrels": qrels, **values})


def with_run(queries: int, documents: int, found: int, seed: int = 0, **values: Any) -> Collection:
    """Queries whose first stage found `found` random documents, the relevant one (`d0`) never among them."""
    generator = random.Random(seed)
    ids = [f"d{place}" for place in range(documents)]
    names = [f"q{place}" for place in range(queries)]
    run = {
        name: dict(zip(generator.sample(ids[1:], found), (float(-place) for place in range(found)), strict=True))
        for name in names
    }
    content = {
        "documents": {id_: Document(id_, f"văn bản {id_}") for id_ in ids},
        "queries": {name: Query(name, f"câu {name}") for name in names},
        "qrels": {name: {"d0": 1} for name in names},
        "run": run,
    }
    return Collection(**{**content, **values})


# splits


@settings(deadline=None)
@given(
    members=st.lists(st.sampled_from([None, *"abcdefgh"]), min_size=1, max_size=60),
    seed=st.integers(0, 50),
    dev=st.floats(0.05, 0.4),
    test=st.floats(0.05, 0.4),
)
def test_no_group_straddles_two_splits_and_no_query_is_lost(
    members: list[str | None], seed: int, dev: float, test: float
) -> None:
    groups = {f"q{place}": group for place, group in enumerate(members) if group is not None}
    splits, notes = draw_splits(queries_only(len(members), groups=groups), split_plan(seed=seed, dev=dev, test=test))
    dealt = [query_id for query_ids in splits.values() for query_id in query_ids]
    assert sorted(dealt) == sorted(f"q{place}" for place in range(len(members)))
    assert notes == []
    homes: dict[str, set[str]] = {}
    for split, query_ids in splits.items():
        for query_id in query_ids:
            homes.setdefault(groups.get(query_id, query_id), set()).add(split)
    assert all(len(found) == 1 for found in homes.values()), homes


@settings(deadline=None)
@given(count=st.integers(10, 200), dev=st.floats(0.05, 0.4), test=st.floats(0.05, 0.4), seed=st.integers(0, 50))
def test_shares_are_filled_and_not_overfilled(count: int, dev: float, test: float, seed: int) -> None:
    splits, _ = draw_splits(queries_only(count), split_plan(dev=dev, test=test, seed=seed))
    for share, query_ids in ((dev, splits["dev"]), (test, splits["test"])):
        assert len(query_ids) - 1 < share * count <= len(query_ids)


def test_a_group_overfills_a_share_by_no_more_than_itself() -> None:
    groups = {f"q{place}": f"group {place // 7}" for place in range(140)}
    splits, _ = draw_splits(queries_only(140, groups=groups), split_plan(dev=0.1, test=0.3))
    assert 14 <= len(splits["dev"]) < 14 + 7
    assert 42 <= len(splits["test"]) < 42 + 7


def test_splits_are_the_same_for_the_same_seed_whatever_the_order_of_the_source() -> None:
    collection = queries_only(50)
    backwards = queries_only(50, queries=dict(reversed(collection.queries.items())))
    first, _ = draw_splits(collection, split_plan(seed=5))
    again, _ = draw_splits(collection, split_plan(seed=5))
    turned, _ = draw_splits(backwards, split_plan(seed=5))
    other, _ = draw_splits(collection, split_plan(seed=6))
    assert first == again
    assert {name: set(ids) for name, ids in turned.items()} == {name: set(ids) for name, ids in first.items()}
    assert set(other["test"]) != set(first["test"])


def test_queries_without_a_judgement_are_left_out_and_those_without_an_answer_are_not_learnt_from() -> None:
    qrels = {f"q{place}": {"d0": 1} for place in range(10)} | {"q10": {"d0": 0}, "q11": {}, "q12": {"d0": -1}}
    splits, notes = draw_splits(queries_only(14, qrels=qrels), split_plan())
    asked = {q for split in ("dev", "test") for q in splits[split]}
    assert {q for ids in splits.values() for q in ids} == {f"q{n}" for n in range(10)} | (asked & {"q10", "q11", "q12"})
    assert notes[0] == "1 queries without a judgement left out: q13"
    given_splits = {"train": ["q0", "q10"], "dev": ["q1", "q11"], "test": ["q12", "q2", "q13"]}
    splits, notes = draw_splits(queries_only(14, qrels=qrels, splits=given_splits), split_plan())
    assert splits == {"train": ("q0",), "dev": ("q1", "q11"), "test": ("q12", "q2")}
    assert notes[1:] == ["1 train queries that have no answer left out, for trainers learn from answers: q10"]
    nothing = {"train": ["q0"], "dev": ["q1"], "test": ["q12"]}
    with pytest.raises(DataError, match="the test split is empty: there is no query with a relevant document"):
        draw_splits(queries_only(14, qrels=qrels, splits=nothing), split_plan())


def test_a_note_on_many_queries_names_the_first_five() -> None:
    _, notes = draw_splits(queries_only(10, qrels={"q9": {"d0": 1}}), split_plan())
    assert notes == ["9 queries without a judgement left out: q0, q1, q2, q3, q4, …"]


def test_splits_that_the_source_gives_are_kept_in_their_order() -> None:
    given_splits = {"test": ["q3", "q1"], "train": ["q5", "q0"], "dev": ["q2"]}
    splits, _ = draw_splits(queries_only(6, splits=given_splits), split_plan(dev=0.4, test=0.5))
    assert splits == {"train": ("q5", "q0"), "dev": ("q2",), "test": ("q3", "q1")}


def test_dev_is_drawn_from_train_where_the_source_gives_none() -> None:
    train, test = [f"q{place}" for place in range(40)], [f"q{place}" for place in range(40, 50)]
    groups = {query_id: f"group {place // 2}" for place, query_id in enumerate(train)}
    collection = queries_only(50, splits={"train": train, "test": test}, groups=groups)
    splits, _ = draw_splits(collection, split_plan(dev=0.2, test=0.3))
    assert splits["test"] == tuple(test)
    assert len(splits["dev"]) == 8
    assert sorted(splits["train"] + splits["dev"]) == sorted(train)
    assert {groups[q] for q in splits["dev"]}.isdisjoint(groups[q] for q in splits["train"])


def test_without_a_query_to_test_on_there_is_no_data_set() -> None:
    with pytest.raises(DataError, match="the test split is empty"):
        draw_splits(queries_only(3, qrels={}), split_plan())
    with pytest.raises(DataError, match="the test split is empty"):
        draw_splits(queries_only(3, splits={"train": ["q0", "q1", "q2"]}), split_plan())


def test_limits_draw_a_seeded_part_of_each_split_and_say_so() -> None:
    splits = {name: tuple(f"{name}{place}" for place in range(20)) for name in ("train", "dev", "test")}
    plan = split_plan(max_train=5, max_test=20, seed=3)
    limited, notes = limit_splits(splits, plan)
    assert notes == ["train: 5 of 20 queries, drawn with seed 3"]
    assert (limited["dev"], limited["test"]) == (splits["dev"], splits["test"])
    assert len(limited["train"]) == 5
    assert list(limited["train"]) == [q for q in splits["train"] if q in limited["train"]]
    assert limit_splits(splits, plan)[0] == limited
    assert limit_splits(splits, split_plan(max_train=5, seed=4))[0]["train"] != limited["train"]
    assert limited["train"] != splits["train"][:5]


def test_a_limit_of_one_split_changes_no_candidate_of_another() -> None:
    history = [Document(f"d{place}", f"phim {place}") for place in range(6)]
    generator = random.Random(0)
    queries = {f"q{n}": Query(f"q{n}", f"xem {n}", tuple(generator.sample(history, 2))) for n in range(40)}
    qrels = {name: {next(d.id for d in history if d not in query.history): 1} for name, query in queries.items()}
    collection = Collection({document.id: document for document in history}, queries, qrels)
    plan = candidate_plan(retriever="item-knn")
    whole = prepare("n", collection, split_plan(), plan)
    limited = prepare("n", collection, split_plan(max_train=2), plan)
    assert len(limited.splits["train"]) == 2
    assert limited.splits["test"] == whole.splits["test"]
    for query_id in whole.splits["test"]:
        assert limited.candidates[query_id] == whole.candidates[query_id]
        assert limited.first_stage[query_id] == whole.first_stage[query_id]


# what a collection refuses


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"documents": {}}, "no documents"),
        ({"queries": {}}, "no queries"),
        ({"qrels": {"nobody": {"d0": 1}}}, "a judgement names query 'nobody'"),
        ({"qrels": {"q0": {"nothing": 1}}}, "none of the 1 documents judged relevant exists, first 'nothing'"),
        ({"hard_negatives": {"q0": [HardNegative("nothing")]}}, "a hard negative of query 'q0' names document"),
        ({"run": {"q0": {"nothing": 1.0}}}, "a run line of query 'q0' names document 'nothing'"),
        ({"splits": {"test": ["nobody"]}}, "split 'test' names query 'nobody'"),
        ({"splits": {"test": ["q0"], "tests": ["q1"]}}, "'tests' is none of train, dev, test; did you mean 'test'"),
        (
            {"queries": {f"q{n}": Query(f"q{n}", "x", (Document("nothing", ""),)) for n in range(3)}},
            "a history of query 'q0' names document 'nothing'",
        ),
    ],
)
def test_a_collection_names_what_does_not_exist(values: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        consistent(queries_only(3, **values))


def test_a_document_that_stands_twice_in_hard_negatives_is_named() -> None:
    with pytest.raises(DataError, match="query 'q0' names a document twice in its hard negatives"):
        consistent(queries_only(3, hard_negatives={"q0": [HardNegative("d1", ("price",)), HardNegative("d1")]}))


def test_a_history_may_meet_a_document_twice() -> None:
    met = Document("d0", "a")
    collection = queries_only(1, queries={"q0": Query("q0", "x", (met, met))})
    assert collection.queries["q0"].history == (met, met)


# candidates


def test_the_same_seed_gives_the_same_data_set_in_any_process() -> None:
    collection = with_run(30, 40, 15)
    plan = candidate_plan(retriever="run", depth=10)
    first = prepare("n", collection, split_plan(), plan)
    assert prepare("n", collection, split_plan(), plan) == first
    code = (
        "from tests.bench.test_splits_and_candidates import *\n"
        "collection = with_run(30, 40, 15)\n"
        "print(prepare('n', collection, split_plan(), candidate_plan(retriever='run', depth=10)).fingerprint)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, timeout=60
    )
    assert done.stdout.strip() == first.fingerprint


def test_another_seed_shows_the_same_candidates_in_another_order() -> None:
    collection = with_run(30, 40, 15)
    one, two = (prepare("n", collection, split_plan(), candidate_plan(retriever="run", seed=n)) for n in (1, 2))
    assert one.candidates != two.candidates
    assert one.fingerprint != two.fingerprint
    for query_id in one.candidates:
        pairs = [dict(zip(d.candidates[query_id], d.first_stage[query_id], strict=True)) for d in (one, two)]
        assert pairs[0] == pairs[1] == collection.run[query_id]


def positions(dataset: Dataset, chosen: Callable[[str], str]) -> Counter[int]:
    return Counter(row.index(chosen(query_id)) for query_id, row in dataset.candidates.items())


def assert_about_uniform(counts: Counter[int], places: int, total: int) -> None:
    expected = total / places
    spread = math.sqrt(total / places * (1 - 1 / places))
    assert sum(counts.values()) == total
    assert all(abs(counts[place] - expected) < 4 * spread for place in range(places)), counts


def test_the_place_of_a_candidate_tells_nothing_of_the_first_stage() -> None:
    collection = with_run(3000, 30, 10)
    dataset = prepare("n", collection, split_plan(), candidate_plan(retriever="run", depth=10))
    assert_about_uniform(
        positions(dataset, lambda q: max(collection.run[q], key=collection.run[q].__getitem__)), 10, 3000
    )
    places = [float(place) for row in dataset.first_stage.values() for place in range(len(row))]
    scores = [score for row in dataset.first_stage.values() for score in row]
    assert abs(statistics.correlation(places, scores)) < 0.025


@pytest.mark.parametrize("retriever", ["run", "bm25", "popularity"])
def test_in_the_retrievers_order_its_best_is_first_and_ties_go_as_everywhere(retriever: str) -> None:
    texts = [f"phòng {'rẻ ' * (n % 4)}" for n in range(12)]
    queries = {f"q{n}": Query(f"q{n}", f"phòng rẻ {n}") for n in range(30)}
    run = {q: {f"d{n}": float(n % 4) for n in range(12)} for q in queries}
    qrels = {q: {f"d{n % 12}": 1} for n, q in enumerate(queries)}
    collection = Collection(documents_of(texts), queries, qrels, run=run)
    plain, ordered = (
        prepare("n", collection, split_plan(), candidate_plan(retriever=retriever, depth=7, order=order))
        for order in ("shuffled", "retriever")
    )
    assert ordered.fingerprint != plain.fingerprint
    assert ordered.splits == plain.splits
    for query_id, shown in ordered.candidates.items():
        scores = dict(zip(shown, ordered.first_stage[query_id], strict=True))
        assert list(shown) == trec_order(scores)
        assert scores == dict(zip(plain.candidates[query_id], plain.first_stage[query_id], strict=True))
    assert ordered.candidates != plain.candidates
    assert len(set(ordered.first_stage["q0"])) < 7, "no ties: this proves nothing of them"
    assert set(ordered.notes) - set(plain.notes) == {
        "candidates stand in the retriever's order: that a listwise model likes the first places counts for it"
    }


def test_the_retrievers_order_must_not_tell_what_the_oracle_put_in() -> None:
    """Neither what was not found, nor what was found below the depth."""
    plan = candidate_plan(retriever="run", depth=5, protocol="oracle", order="retriever")
    deep = {"d0": 0.5, **{f"d{n}": float(n) for n in range(1, 9)}}
    names = [f"q{n}" for n in range(10)]
    for run in ({name: {"d1": 1.0} for name in names}, dict.fromkeys(names, deep)):
        with pytest.raises(DataError) as raised:
            prepare("n", with_run(10, 20, 5, run=run), split_plan(), plan)
        told = str(raised.value)
        assert "protocol oracle puts 'd0' in, which would stand behind all that run found" in told
        assert told.endswith("set candidates.order: shuffled, or protocol: end-to-end")
        assert "\n" not in told
    found = {name: {**deep, "d0": 6.5} for name in names}
    dataset = prepare("n", with_run(10, 20, 5, run=found), split_plan(), plan)
    assert set(dataset.candidates.values()) == {("d8", "d7", "d0", "d6", "d5")}
    assert dataset.requests("test")[0].first_stage is None


def test_the_folds_are_in_the_retrievers_order_too() -> None:
    plan = candidate_plan(retriever="run", depth=6, order="retriever")
    collection = with_run(30, 20, 9)
    for fold in prepare_folds("n", collection, split_plan(), plan, 3):
        assert fold.candidates == {q: tuple(trec_order(collection.run[q])[:6]) for q in fold.queries}


def test_the_oracle_puts_the_truth_at_any_place() -> None:
    plan = candidate_plan(retriever="run", depth=10, protocol="oracle")
    missed = prepare("n", with_run(3000, 30, 10), split_plan(), plan)
    assert_about_uniform(positions(missed, lambda _: "d0"), 10, 3000)
    # and neither is it recognisable by its place where the first stage found it
    names = [f"q{place}" for place in range(3000)]
    run = {name: {f"d{place}": float(place) for place in range(10)} for name in names}
    found = prepare("n", with_run(3000, 30, 10, run=run), split_plan(), plan)
    assert_about_uniform(positions(found, lambda _: "d0"), 10, 3000)


def test_each_query_is_shuffled_on_its_own() -> None:
    run = {f"q{place}": {f"d{n}": float(n) for n in range(1, 9)} for place in range(20)}
    dataset = prepare("n", with_run(20, 10, 8, run=run), split_plan(), candidate_plan(retriever="run"))
    assert len(set(dataset.candidates.values())) > 15


scores_of_a_run = st.dictionaries(st.sampled_from([f"d{n}" for n in range(12)]), st.sampled_from([0.5, 1.0, 2.0]))
judgements = st.dictionaries(st.sampled_from([f"d{n}" for n in range(12)]), st.integers(0, 2)).filter(
    lambda judged: any(judged.values())
)


@settings(deadline=None)
@given(found=scores_of_a_run.filter(bool), judged=judgements, depth=st.integers(1, 14))
def test_the_oracle_adds_every_relevant_document_and_end_to_end_none(
    found: dict[str, float], judged: dict[str, int], depth: int
) -> None:
    collection = with_run(1, 12, 1, run={"q0": found}, qrels={"q0": judged})
    lists = {}
    for protocol in ("end-to-end", "oracle"):
        dataset = prepare(
            "n", collection, split_plan(), candidate_plan(retriever="run", depth=depth, protocol=protocol)
        )
        lists[protocol] = dict(zip(dataset.candidates["q0"], dataset.first_stage["q0"], strict=True))
        assert len(lists[protocol]) == len(dataset.candidates["q0"])
    relevant = {id_ for id_, grade in judged.items() if grade > 0}
    best = trec_order(found)
    assert set(lists["end-to-end"]) == set(best[:depth])
    assert lists["end-to-end"] == {id_: found[id_] for id_ in best[:depth]}
    assert relevant <= set(lists["oracle"])
    others = [id_ for id_ in best[:depth] if id_ not in relevant]
    assert set(lists["oracle"]) - relevant == set(others[: max(depth - len(relevant), 0)])
    for id_, score in lists["oracle"].items():
        if id_ in found:
            assert score == found[id_]
        else:
            assert score < min(found.values())


def test_documents_of_the_history_are_no_candidates() -> None:
    documents = documents_of(["xem phim", "xem phim hay", "xem phim dở", "xem phim cũ"])
    history = (documents["d0"], documents["d2"])
    queries = {f"q{n}": Query(f"q{n}", f"xem phim {n}", history) for n in range(10)}
    collection = Collection(documents, queries, {f"q{n}": {"d1": 1} for n in range(10)})
    for retriever in ("bm25", "item-knn"):
        for protocol in ("end-to-end", "oracle"):
            plan = candidate_plan(retriever=retriever, protocol=protocol)
            dataset = prepare("n", collection, split_plan(), plan)
            assert {frozenset(row) for row in dataset.candidates.values()} == {frozenset({"d1", "d3"})}
    # they do not take the place of a candidate either
    dataset = prepare("n", collection, split_plan(), candidate_plan(depth=2))
    assert all(len(row) == 2 for row in dataset.candidates.values())


def test_the_oracle_adds_no_document_of_the_history() -> None:
    documents = documents_of(["xem phim", "xem phim hay", "xem phim dở", "nhạc"])
    queries = {f"q{n}": Query(f"q{n}", "xem phim", (documents["d0"],)) for n in range(10)}
    collection = Collection(documents, queries, {name: {"d0": 1, "d3": 1} for name in queries})
    dataset = prepare("n", collection, split_plan(), candidate_plan(protocol="oracle"))
    assert {frozenset(row) for row in dataset.candidates.values()} == {frozenset({"d1", "d2", "d3"})}


def test_depth_1_is_the_first_stages_best() -> None:
    collection = with_run(20, 40, 15)
    dataset = prepare("n", collection, split_plan(), candidate_plan(retriever="run", depth=1))
    assert dataset.candidates == {query_id: (trec_order(collection.run[query_id])[0],) for query_id in dataset.queries}
    oracle = prepare("n", collection, split_plan(), candidate_plan(retriever="run", depth=1, protocol="oracle"))
    assert set(oracle.candidates.values()) == {("d0",)}


def test_depth_1000_takes_the_best_thousand_or_all_that_was_found() -> None:
    collection = with_run(4, 1500, 1200)
    dataset = prepare("n", collection, split_plan(), candidate_plan(retriever="run", depth=1000))
    for query_id, row in dataset.candidates.items():
        assert sorted(row) == sorted(trec_order(collection.run[query_id])[:1000])
    few = with_run(4, 40, 15)
    dataset = prepare("n", few, split_plan(), candidate_plan(retriever="run", depth=1000))
    assert all(sorted(row) == sorted(few.run[query_id]) for query_id, row in dataset.candidates.items())


def test_a_query_that_matches_nothing_has_no_candidates_and_counts() -> None:
    queries = {"q0": Query("q0", "hoàn toàn khác"), "q1": Query("q1", "phòng trọ"), "q2": Query("q2", "?!")}
    collection = Collection(documents_of(["phòng trọ rẻ"]), queries, {name: {"d0": 1} for name in queries})
    splits = {"test": list(queries)}
    dataset = prepare("n", Collection(**{**vars(collection), "splits": splits}), split_plan(), candidate_plan())
    assert dataset.candidates == {"q0": (), "q1": ("d0",), "q2": ()}
    assert dataset.first_stage["q0"] == ()
    assert [len(request.candidates) for request in dataset.requests("test")] == [0, 1, 0]
    assert dataset.recall_ceiling("test") == pytest.approx(1 / 3)
    # the oracle still shows the truth
    oracle = prepare(
        "n", Collection(**{**vars(collection), "splits": splits}), split_plan(), candidate_plan(protocol="oracle")
    )
    assert oracle.candidates == {"q0": ("d0",), "q1": ("d0",), "q2": ("d0",)}


def test_judgements_of_the_test_split_do_not_reach_the_first_stage() -> None:
    documents = documents_of(["a", "b", "c", "d"])
    queries = {f"q{n}": Query(f"q{n}", f"xem {n}", (documents["d0"],)) for n in range(6)}
    splits = {"train": ["q0", "q1", "q2"], "dev": ["q3"], "test": ["q4", "q5"]}
    train = {"q0": {"d1": 1}, "q1": {"d2": 1}, "q2": {"d2": 1}}
    seen = []
    for truth in ("d1", "d3"):
        qrels = {**train, "q3": {truth: 1}, "q4": {truth: 1}, "q5": {truth: 1}}
        collection = Collection(documents, queries, qrels, splits)
        dataset = prepare("n", collection, split_plan(), candidate_plan(retriever="item-knn"))
        seen.append((dataset.candidates, dataset.first_stage))
    assert seen[0] == seen[1]


# first stages


def bm25_by_hand(texts: list[list[str]], asked: list[str], k1: float = 1.2, b: float = 0.4) -> list[float]:
    """Lucene's BM25: idf = ln(1 + (N - df + 0.5) / (df + 0.5)), no (k1 + 1) in the numerator."""
    mean = sum(map(len, texts)) / len(texts)
    values = []
    for text in texts:
        value = 0.0
        for word in asked:
            frequency, having = text.count(word), sum(word in other for other in texts)
            if frequency:
                idf = math.log(1 + (len(texts) - having + 0.5) / (having + 0.5))
                value += idf * frequency / (frequency + k1 * (1 - b + b * len(text) / mean))
        values.append(value)
    return values


@pytest.mark.parametrize("asked", ["phòng", "phòng rẻ", "Phòng RẺ gần chợ!", "chợ chợ phòng", "rẻ không-có"])
def test_bm25_is_that_of_lucene(asked: str) -> None:
    texts = [
        "Phòng rẻ, gần chợ; phòng có gác",
        "phòng rộng",
        "Nhà nguyên căn gần trường học",
        "chợ đêm",
        "",
        "rẻ rẻ rẻ",
    ]
    cut = [
        ["phòng", "rẻ", "gần", "chợ", "phòng", "có", "gác"],
        ["phòng", "rộng"],
        ["nhà", "nguyên", "căn", "gần", "trường", "học"],
        ["chợ", "đêm"],
        [],
        ["rẻ", "rẻ", "rẻ"],
    ]
    query = {"phòng": ["phòng"], "phòng rẻ": ["phòng", "rẻ"], "Phòng RẺ gần chợ!": ["phòng", "rẻ", "gần", "chợ"]}
    query |= {"chợ chợ phòng": ["chợ", "chợ", "phòng"], "rẻ không-có": ["rẻ", "không", "có"]}
    scores = fitted("bm25", list(documents_of(texts).values())).scores(Query("q", asked))
    expected = {f"d{n}": value for n, value in enumerate(bm25_by_hand(cut, query[asked])) if value > 0}
    assert scores == pytest.approx(expected, rel=1e-5)


def test_bm25_reads_the_title_and_survives_an_empty_corpus() -> None:
    documents = [Document("a", "", "Gác lửng"), Document("b", "ban công")]
    assert set(fitted("bm25", documents).scores(Query("q", "gác"))) == {"a"}
    assert fitted("bm25", [Document("a", ""), Document("b", "...")]).scores(Query("q", "gác")) == {}


def test_folded_accents_find_what_is_typed_without_them() -> None:
    documents = list(documents_of(["Đường đến trường Đại học", "đừng đi", "nhà ở"]).values())
    for asked in ("duong den truong", "ĐƯỜNG ĐẾN TRƯỜNG"):
        assert set(fitted("bm25", documents, fold_accents=True).scores(Query("q", asked))) == {"d0"}
    assert fitted("bm25", documents).scores(Query("q", "duong den truong")) == {}
    assert set(fitted("bm25", documents).scores(Query("q", "ĐƯỜNG"))) == {"d0"}


def test_the_plan_decides_whether_accents_are_folded() -> None:
    queries = {"q0": Query("q0", "duong")}
    collection = Collection(documents_of(["Đường", "khác"]), queries, {"q0": {"d0": 1}})
    for fold, expected in ((True, ("d0",)), (False, ())):
        dataset = prepare("n", collection, split_plan(), candidate_plan(options={"fold_accents": fold}))
        assert dataset.candidates["q0"] == expected


def test_words_are_lower_case_and_lose_every_diacritic_when_folded() -> None:
    assert words("Đường Lê-Lợi, số 12_A") == ["đường", "lê", "lợi", "số", "12_a"]
    assert words("Đường Lê-Lợi, ĐẶNG số 12", fold_accents=True) == ["duong", "le", "loi", "dang", "so", "12"]
    assert words("ươ Ữ đ Đ", fold_accents=True) == ["uo", "u", "d", "d"]
    assert words(" …! ") == []


def test_a_run_is_used_as_it_is_and_its_absence_is_an_error() -> None:
    collection = with_run(10, 20, 5)
    run = {query_id: scores for query_id, scores in collection.run.items() if query_id != "q3"}
    collection = Collection(**{**vars(collection), "run": run, "splits": {"test": list(collection.queries)}})
    dataset = prepare("n", collection, split_plan(), candidate_plan(retriever="run"))
    assert dataset.candidates["q3"] == ()
    for query_id, scores in run.items():
        assert dict(zip(dataset.candidates[query_id], dataset.first_stage[query_id], strict=True)) == scores
    with pytest.raises(DataError, match="'run', but this source has no run"):
        prepare("n", queries_only(10), split_plan(), candidate_plan(retriever="run"))


# the store


@pytest.fixture
def prepared() -> Dataset:
    documents = documents_of(["phòng trọ rẻ\u2028gần chợ\r\n", "phòng rộng", 'phòng "có" gác\\', "căn hộ", "phòng tối"])
    documents["d1"] = Document("d1", "phòng rộng", "Tiêu đề", {"price": 2.5, "area": "Hà Đông"})
    queries = {f"q{n}": Query(f"q{n}", f"phòng {n}", (documents["d4"],)) for n in range(12)}
    collection = Collection(
        documents,
        queries,
        {name: {"d0": 2, "d1": 0} for name in queries},
        hard_negatives={"q0": [HardNegative("d1", ("price", "area"), 2.5)], "q7": [HardNegative("d2")], "q8": []},
        notes=("một ghi chú",),
    )
    return prepare("phòng", collection, split_plan(), candidate_plan())


def test_what_is_written_is_what_is_read(prepared: Dataset, tmp_path: Path) -> None:
    write_dataset(prepared, tmp_path / "data")
    read = read_dataset(tmp_path / "data")
    assert read == prepared
    assert dataset_fingerprint(read) == prepared.fingerprint
    assert {d.id: d.metadata for d in read.documents.values()} == {
        d.id: d.metadata for d in prepared.documents.values()
    }
    assert read.requests("test") == prepared.requests("test")
    assert sorted(file.name for file in (tmp_path / "data").iterdir()) == [
        "dataset.json",
        "documents.jsonl",
        "queries.jsonl",
        "sha256.json",
    ]


def change_row(path: Path, id_: str, change: Callable[[dict[str, Any]], object]) -> None:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    for row in rows:
        if row["id"] == id_:
            change(row)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


TAMPERINGS: dict[str, tuple[str, str, Callable[[dict[str, Any]], object]]] = {
    "a document's text": ("documents.jsonl", "d0", lambda row: row.update(text=row["text"] + " ")),
    "a document's title": ("documents.jsonl", "d1", lambda row: row.update(title="")),
    "a document's metadata": ("documents.jsonl", "d1", lambda row: row["metadata"].update(price=2.6)),
    "a document's keys": ("documents.jsonl", "d1", lambda row: row.update(titel=row.pop("title"))),
    "a query without candidates": ("queries.jsonl", "q1", lambda row: row.pop("candidates")),
    "a query's text": ("queries.jsonl", "q1", lambda row: row.update(text="khác")),
    "a history": ("queries.jsonl", "q1", lambda row: row.update(history=["d3"])),
    "a grade": ("queries.jsonl", "q1", lambda row: row["qrels"].update(d0=1)),
    "a judgement": ("queries.jsonl", "q1", lambda row: row["qrels"].update(d3=1)),
    "a split": ("queries.jsonl", "q1", lambda row: row.update(split={"test": "train"}.get(row["split"], "test"))),
    "the order of candidates": ("queries.jsonl", "q1", lambda row: row["candidates"].reverse()),
    "a first-stage score": ("queries.jsonl", "q1", lambda row: row["first_stage"].__setitem__(0, 9.0)),
    "a hard negative's weight": ("queries.jsonl", "q0", lambda row: row["hard_negatives"][0].update(weight=1.0)),
}


@pytest.mark.parametrize(("file", "id_", "change"), TAMPERINGS.values(), ids=TAMPERINGS)
def test_a_changed_file_is_noticed(
    prepared: Dataset, tmp_path: Path, file: str, id_: str, change: Callable[[dict[str, Any]], object]
) -> None:
    folder = tmp_path / "data"
    write_dataset(prepared, folder)
    change_row(folder / file, id_, lambda row: None)
    assert read_dataset(folder) == prepared
    change_row(folder / file, id_, change)
    with pytest.raises(DataError, match="changed or damaged; delete the folder and run again"):
        read_dataset(folder)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut off": lambda file: file.write_bytes(file.read_bytes()[:-20]),
    "missing": lambda file: file.unlink(),
    "empty": lambda file: file.write_bytes(b""),
    "of another encoding": lambda file: file.write_bytes(b"\xff" + file.read_bytes()),
    "no mapping": lambda file: file.write_text("[1]\n", encoding="utf-8"),
    "half a mapping": lambda file: file.write_text("{", encoding="utf-8"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("file", ["dataset.json", "documents.jsonl", "queries.jsonl"])
def test_a_damaged_file_is_noticed(
    prepared: Dataset, tmp_path: Path, file: str, damage: Callable[[Path], object]
) -> None:
    folder = tmp_path / "data"
    write_dataset(prepared, folder)
    damage(folder / file)
    with pytest.raises(DataError, match="changed or damaged; delete the folder and run again"):
        read_dataset(folder)


def test_metadata_is_part_of_the_fingerprint() -> None:
    def priced(price: int) -> Dataset:
        documents = {id_: Document(id_, "x", metadata={"price": price}) for id_ in ("d0", "d1", "d2")}
        return prepare("n", queries_only(10, documents=documents), split_plan(), candidate_plan())

    assert priced(1).fingerprint == priced(1).fingerprint != priced(2).fingerprint


def test_a_data_set_that_cannot_be_written_leaves_no_folder(prepared: Dataset, tmp_path: Path) -> None:
    documents = {**prepared.documents, "d0": Document("d0", "x", metadata={"not for json": object()})}
    with pytest.raises(TypeError):
        write_dataset(Dataset(**{**vars(prepared), "documents": documents}), tmp_path / "data")
    assert list(tmp_path.iterdir()) == []


def jsonl_entry(folder: Path, **options: object) -> DatasetEntry:
    rows: dict[str, list[dict[str, object]]] = {
        "documents": [{"id": f"d{n}", "text": f"phòng {n}"} for n in range(5)],
        "queries": [{"id": f"q{n}", "text": f"phòng {n}"} for n in range(10)],
        "qrels": [{"query": f"q{n}", "document": f"d{n % 5}"} for n in range(10)],
    }
    for name, lines in rows.items():
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    paths = {name: str(folder / f"{name}.jsonl") for name in rows}
    return DatasetEntry.model_validate({"reader": "jsonl", "options": paths, **options})


def test_a_data_set_is_read_once_and_again_when_its_source_or_entry_changes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    entry = jsonl_entry(tmp_path)
    store = tmp_path / "rr-home" / "data"
    first = load_dataset("rooms", entry)
    assert load_dataset("rooms", entry) == first
    assert len(list(store.iterdir())) == 1
    stored = next(store.iterdir()) / "documents.jsonl"
    stored.write_text(stored.read_text(encoding="utf-8").replace("phòng 1", "nhà 1"), encoding="utf-8")
    assert load_dataset("rooms", entry) == first
    assert "documents.jsonl is not the file that was written" in caplog.text  # so the second call did read the store
    source = tmp_path / "documents.jsonl"
    source.write_text(source.read_text(encoding="utf-8").replace("ph\\u00f2ng 4", "nh\\u00e0 4"), encoding="utf-8")
    changed = load_dataset("rooms", entry)
    assert changed.documents["d4"].text == "nhà 4"
    assert changed.fingerprint != first.fingerprint
    load_dataset("rooms", jsonl_entry(tmp_path, candidates={"depth": 2}))
    assert len(list(store.glob("[!.]*"))) == 3


def test_an_error_of_a_source_names_the_data_set(tmp_path: Path) -> None:
    entry = jsonl_entry(tmp_path, candidates={"retriever": "run"})
    with pytest.raises(DataError, match=r"data set 'rooms': .* is 'run', but"):
        load_dataset("rooms", entry)
    assert not (tmp_path / "rr-home" / "data").exists()


# negatives


def test_hard_negatives_are_the_given_then_the_first_stages_best() -> None:
    given_ones = [HardNegative("d9", ("price",), 3.0), HardNegative("d2", ("area",), 2.0), HardNegative("d0", (), 9.0)]
    run = {"q0": {"d0": 9.0, "d1": 1.0, "d2": 8.0, "d3": 7.0, "d4": 7.0, "d5": 5.0}}
    collection = with_run(
        1, 12, 1, run=run, qrels={"q0": {"d0": 2, "d5": 1, "d3": 0}}, hard_negatives={"q0": given_ones}
    )
    dataset = prepare("n", collection, split_plan(), candidate_plan(retriever="run", depth=10))
    # d0 and d5 are relevant, even where they are given; d3 is judged and not relevant
    expected = [given_ones[0], given_ones[1], HardNegative("d4"), HardNegative("d3"), HardNegative("d1")]
    for top_k in range(7):
        assert hard_negatives(dataset, "q0", top_k) == expected[:top_k]


def test_without_given_ones_hard_negatives_are_mined() -> None:
    collection = with_run(5, 40, 15)
    dataset = prepare("n", collection, split_plan(), candidate_plan(retriever="run", depth=10))
    for query_id in dataset.queries:
        mined = hard_negatives(dataset, query_id, 4)
        assert mined == [HardNegative(id_) for id_ in trec_order(collection.run[query_id])[:4]]


@settings(deadline=None)
@given(
    relevant=st.sets(st.integers(0, 14), min_size=1, max_size=6),
    met=st.sets(st.integers(0, 14), max_size=5),
    without=st.sets(st.integers(0, 14), max_size=5),
    count=st.integers(0, 20),
    seed=st.integers(0, 1000),
)
def test_random_negatives_are_distinct_and_neither_relevant_nor_met(
    relevant: set[int], met: set[int], without: set[int], count: int, seed: int
) -> None:
    documents = documents_of([str(n) for n in range(15)])
    query = Query("q0", "", tuple(documents[f"d{n}"] for n in sorted(met)))
    judged = {f"d{n}": int(n in relevant) for n in range(15)}
    collection = Collection(documents, {"q0": query}, {"q0": judged}, run={"q0": {"d0": 1.0}})
    dataset = prepare("n", collection, split_plan(), candidate_plan(retriever="run"))
    left_out = {f"d{n}" for n in without}
    drawn = random_negatives(dataset, "q0", count, random.Random(seed), left_out)
    allowed = {f"d{n}" for n in set(range(15)) - relevant - met - without}
    assert len(drawn) == len(set(drawn)) == min(count, len(allowed))
    assert set(drawn) <= allowed
    assert random_negatives(dataset, "q0", count, random.Random(seed), left_out) == drawn


def test_random_negatives_come_from_the_whole_corpus() -> None:
    dataset = prepare("n", with_run(1, 12, 3), split_plan(), candidate_plan(retriever="run"))
    generator = random.Random(0)
    drawn = Counter(id_ for _ in range(500) for id_ in random_negatives(dataset, "q0", 2, generator))
    assert set(drawn) == {f"d{n}" for n in range(1, 12)}
    assert min(drawn.values()) > 50


def test_nothing_to_select_on_is_said() -> None:
    """Queries that all ask the same are one group, which is the test split."""
    queries = {f"q{place}": Query(f"q{place}", "phòng") for place in range(10)}
    dataset = prepare("n", queries_only(10, queries=queries), split_plan(), candidate_plan())
    assert {name: len(ids) for name, ids in dataset.splits.items()} == {"train": 0, "dev": 0, "test": 10}
    with pytest.raises(DataError, match="data set 'n' has no dev queries; give it more queries that differ"):
        ranking_quality(ByGold({}), dataset)


@given(
    st.dictionaries(
        st.text("abcđ", min_size=1, max_size=3), st.sampled_from([0.0, -1.0, 1.0, 1 + 1e-9, 2e38, 1e39, -1e39])
    ),
    st.integers(1, 12),
)
def test_the_best_are_the_first_of_the_one_order(scores: dict[str, float], depth: int) -> None:
    assert preparing._best(scores, depth) == trec_order(scores)[:depth]
