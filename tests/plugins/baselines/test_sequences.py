"""First stages of sequential recommendation against loops written by hand, and what they must not see."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rr.data.collection import Collection
from rr.errors import DataError
from rr.types import Dataset, Document, Query
from rr_bench.registry import CandidatePlan, SplitPlan
from tests.preparing import fitted, prepare, read

OF_SEQUENCES = ("item-knn", "markov", "popularity")

train_sequences = st.lists(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=8), min_size=1, max_size=8)


def asked(*history: str) -> Query:
    return Query("q", "", tuple(Document(id_, "") for id_ in history))


def prepared(collection: Collection, retriever: str, **plan: object) -> Dataset:
    candidates = CandidatePlan.model_validate({"retriever": retriever, **plan})
    return prepare("n", collection, SplitPlan.model_validate({}), candidates)


def leave_one_out(users: int = 30, films: int = 25, seed: int = 0) -> Collection:
    """Users who each watched 8 films: histories and targets as the movielens reader cuts them."""
    generator = random.Random(seed)
    documents = {f"d{n}": Document(f"d{n}", "", title=f"Phim {n}") for n in range(films)}
    queries: dict[str, Query] = {}
    qrels: dict[str, dict[str, int]] = {}
    splits: dict[str, list[str]] = {"train": [], "dev": [], "test": []}
    for user in range(users):
        watched = generator.sample(list(documents.values()), 8)
        for split, target in (("train", -3), ("dev", -2), ("test", -1)):
            query = Query(f"u{user}/{split}", "", tuple(watched[:target]))
            queries[query.id], qrels[query.id] = query, {watched[target].id: 1}
            splits[split].append(query.id)
    return Collection(documents, queries, qrels, splits)


# popularity


@given(train=train_sequences)
def test_popularity_is_the_number_of_train_interactions(train: list[list[str]]) -> None:
    counted = {}
    for item in "abcdef":
        count = 0
        for items in train:
            for other in items:
                if other == item:
                    count += 1
        if count:
            counted[item] = count
    assert (
        fitted("popularity", train=train).scores(asked())
        == fitted("popularity", train=train).scores(asked("a"))
        == counted
    )


# markov


@given(train=train_sequences, last=st.sampled_from("abcdef"), before=st.lists(st.sampled_from("abcdef"), max_size=3))
def test_markov_counts_transitions_from_the_last_item_and_backs_off_to_popularity(
    train: list[list[str]], last: str, before: list[str]
) -> None:
    count = {item: sum(items.count(item) for items in train) for item in "abcdef"}
    expected = {}
    for item in "abcdef":
        followed = 0
        for items in train:
            for place in range(1, len(items)):
                if items[place - 1] == last and items[place] == item:
                    followed += 1
        if count[item]:
            expected[item] = followed + count[item] / (1 + max(count.values()))
    scores = fitted("markov", train=train).scores(asked(*before, last))
    assert scores == pytest.approx(expected)
    # popularity orders, and never outweighs a transition
    transitions = {item: math.floor(score) for item, score in scores.items()}
    for one in scores:
        for other in scores:
            if transitions[one] > transitions[other]:
                assert scores[one] > scores[other]
            elif transitions[one] == transitions[other]:
                assert (scores[one] > scores[other]) == (count[one] > count[other])


def test_markov_after_an_item_that_never_led_anywhere_is_popularity() -> None:
    train = [["a", "b", "c"], ["b", "c"], ["c"]]
    assert fitted("markov", train=train).scores(asked("a", "c")) == {"a": 1 / 4, "b": 2 / 4, "c": 3 / 4}
    assert fitted("markov", train=train).scores(asked("c", "a")) == {"a": 1 / 4, "b": 1 + 2 / 4, "c": 3 / 4}


# item-knn


def test_item_knn_is_the_summed_cosine_of_the_history() -> None:
    documents = [Document(id_, "") for id_ in ("a", "b", "c", "new")]
    item_knn = fitted("item-knn", documents, [["a", "b"], ["a", "c"], ["a", "b", "c"], ["b"]])
    # users of a: 0 1 2, of b: 0 2 3, of c: 1 2; new was never seen
    cosine = {"ab": 2 / math.sqrt(3 * 3), "ac": 2 / math.sqrt(3 * 2), "bc": 1 / math.sqrt(3 * 2)}
    one = item_knn.scores(asked("a"))
    assert one == pytest.approx({"a": 1.0, "b": cosine["ab"], "c": cosine["ac"], "new": 0.0}, abs=1e-6)
    two = item_knn.scores(asked("b", "c"))
    expected = {"a": cosine["ab"] + cosine["ac"], "b": 1 + cosine["bc"], "c": 1 + cosine["bc"], "new": 0.0}
    assert two == pytest.approx(expected, abs=1e-6)


def test_item_knn_looks_at_the_ten_newest() -> None:
    documents = [Document(f"d{place}", "") for place in range(14)]
    item_knn = fitted("item-knn", documents, [["d0", "d12"], ["d2", "d13"]])
    # ten documents after d0; d2 is among the ten newest
    scores = item_knn.scores(Query("q", "", tuple(documents[:11])))
    assert scores["d12"] == 0.0
    assert scores["d13"] == pytest.approx(1.0, abs=1e-6)


# all of them, as the data set asks them


def without_history() -> Collection:
    documents = {id_: Document(id_, id_) for id_ in "abc"}
    queries = {f"q{n}": Query(f"q{n}", f"câu {n}") for n in range(5)}
    qrels = {"q0": {"a": 1}, "q1": {"b": 1}, "q2": {"b": 1}, "q3": {"c": 1}, "q4": {"c": 1}}
    return Collection(documents, queries, qrels, {"train": ["q0", "q1", "q2"], "dev": ["q3"], "test": ["q4"]})


@pytest.mark.parametrize("retriever", ["item-knn", "markov"])
def test_without_a_history_is_an_error_that_says_what_to_do(retriever: str) -> None:
    message = rf"query 'q\d' has no history, which {retriever} needs; set .*: bm25 or popularity"
    with pytest.raises(DataError, match=message):
        prepared(without_history(), retriever)


def test_popularity_needs_no_history() -> None:
    dataset = prepared(without_history(), "popularity")
    assert dict(zip(dataset.candidates["q4"], dataset.first_stage["q4"], strict=True)) == {"a": 1.0, "b": 2.0}


@pytest.mark.parametrize("retriever", OF_SEQUENCES)
def test_without_train_queries_there_is_nothing_to_fit(retriever: str) -> None:
    collection = leave_one_out()
    only_test = replace(collection, splits={"test": collection.splits["test"]})
    with pytest.raises(DataError, match=f"{retriever} is fitted on train queries, and there are none; set .*: bm25"):
        prepared(only_test, retriever)


@pytest.mark.parametrize("retriever", OF_SEQUENCES)
def test_items_of_the_history_never_come_back(retriever: str) -> None:
    dataset = prepared(leave_one_out(), retriever, depth=25)
    for query_id, query in dataset.queries.items():
        assert dataset.candidates[query_id]
        assert not {document.id for document in query.history} & set(dataset.candidates[query_id])


@pytest.mark.parametrize("retriever", OF_SEQUENCES)
def test_targets_of_dev_and_test_do_not_reach_the_first_stage(retriever: str) -> None:
    """Other films at the end of every sequence: what is retrieved for the same histories stays as it was."""
    collection = leave_one_out()
    generator = random.Random(1)
    queries, qrels = dict(collection.queries), dict(collection.qrels)
    for user in range(30):
        seen = [*queries[f"u{user}/train"].history, collection.documents[next(iter(qrels[f"u{user}/train"]))]]
        new = generator.sample([film for film in collection.documents.values() if film not in seen], 2)
        qrels[f"u{user}/dev"], qrels[f"u{user}/test"] = {new[0].id: 1}, {new[1].id: 1}
        queries[f"u{user}/test"] = replace(queries[f"u{user}/test"], history=(*seen, new[0]))
    changed = replace(collection, queries=queries, qrels=qrels)
    one, two = prepared(collection, retriever), prepared(changed, retriever)
    assert one.qrels != two.qrels
    for query_id in (*one.splits["train"], *one.splits["dev"]):
        assert one.candidates[query_id] == two.candidates[query_id]
        assert one.first_stage[query_id] == two.first_stage[query_id]


def test_a_train_sequence_is_the_history_and_the_train_target() -> None:
    collection = leave_one_out()
    dataset = prepared(collection, "popularity", depth=25)
    sequences = [
        [film.id for film in collection.queries[id_].history] + list(collection.qrels[id_])
        for id_ in collection.splits["train"]
    ]
    expected = fitted("popularity", train=sequences).scores(asked())
    for query_id in dataset.splits["test"]:
        found = dict(zip(dataset.candidates[query_id], dataset.first_stage[query_id], strict=True))
        met = {film.id for film in dataset.queries[query_id].history}
        assert found == {id_: count for id_, count in expected.items() if id_ not in met}


@pytest.mark.real
def test_real_movielens_train_sequences_hold_no_later_target(shared_data: Path) -> None:
    collection = read("movielens", folder=shared_data / "ml-latest-small")
    for query_id in collection.splits["train"]:
        user = query_id.removesuffix("/train")
        (target,), (dev,), (test,) = (collection.qrels[f"{user}/{split}"] for split in ("train", "dev", "test"))
        train = [*(film.id for film in collection.queries[query_id].history), target]
        assert [film.id for film in collection.queries[f"{user}/dev"].history] == train
        assert [film.id for film in collection.queries[f"{user}/test"].history] == [*train, dev]
        assert not {dev, test} & set(train)
