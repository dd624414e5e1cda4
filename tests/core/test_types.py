"""The nouns: text that compares equal, the gate for scores, the order of a run, and the recall ceiling."""

from __future__ import annotations

import dataclasses
import random
import subprocess
import sys
import unicodedata
from typing import Any

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from rr.errors import DataError, ScoringError
from rr.types import Dataset, Document, Query, Ranking, Request, Scores, checked_scores, trec_order

COMPOSED = "Đường Trần Phú, gần chợ, có gác lửng"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)

numbers = st.one_of(st.sampled_from([0.0, -0.0, 1.0, -2.5]), st.floats(width=32, allow_nan=False, allow_infinity=False))
ids = st.one_of(
    st.sampled_from(["d1", "d10", "d2", "D1", "đ", "e", "10", "9"]), st.text("abđ19", min_size=1, max_size=4)
)


def request_of(count: int) -> Request:
    return Request(Query("q", "câu hỏi"), tuple(Document(f"d{place}", f"văn bản {place}") for place in range(count)))


def dataset_of(
    qrels: dict[str, dict[str, int]], candidates: dict[str, tuple[str, ...]], splits: dict[str, tuple[str, ...]]
) -> Dataset:
    documents = {f"d{place}": Document(f"d{place}", f"văn bản {place}") for place in range(6)}
    first_stage = {query_id: tuple(float(place) for place in range(len(row))) for query_id, row in candidates.items()}
    return Dataset(
        name="small",
        documents=documents,
        queries={query_id: Query(query_id, f"câu {query_id}") for query_id in candidates},
        qrels=qrels,
        splits=splits,
        candidates=candidates,
        first_stage=first_stage,
        hard_negatives={},
        retriever="run",
        protocol="end-to-end",
        notes=(),
        fingerprint="",
    )


def test_texts_are_composed_on_the_way_in() -> None:
    assert DECOMPOSED != COMPOSED
    document = Document("d", DECOMPOSED, DECOMPOSED)
    assert document == Document("d", COMPOSED, COMPOSED)
    assert (document.text, document.title) == (COMPOSED, COMPOSED)
    assert Query("q", DECOMPOSED) == Query("q", COMPOSED)


def test_content_holds_title_and_text_and_no_empty_line() -> None:
    assert Document("d", "text", "title").content == "title\ntext"
    assert Document("d", "text").content == "text"
    assert Document("d", "", "title").content == "title"


def test_metadata_does_not_make_documents_differ() -> None:
    assert Document("d", "text", metadata={"price": 1}) == Document("d", "text", metadata={"price": 2})


@pytest.mark.parametrize("half", [0xD83D, 0xDE00])
def test_half_of_a_surrogate_pair_is_refused(half: int) -> None:
    text = f"gần chợ {chr(half)}"
    for make in (lambda: Document("d", text), lambda: Document("d", "", text), lambda: Query("q", text)):
        with pytest.raises(DataError, match="holds half of a surrogate pair"):
            make()
    assert Document("d", "gần chợ \U0001f600").text == "gần chợ \U0001f600"


def test_nouns_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Document("d", "text").text = "other"  # type: ignore[misc]


def test_two_candidates_of_one_id_are_refused() -> None:
    with pytest.raises(DataError, match="query 'q': two candidates share an id"):
        Request(Query("q", "x"), (Document("d", "one"), Document("e", "two"), Document("d", "three")))


def test_first_stage_scores_are_one_a_candidate() -> None:
    documents = (Document("d", "one"), Document("e", "two"))
    assert Request(Query("q", "x"), documents, (2.0, 1.0)).first_stage == (2.0, 1.0)
    with pytest.raises(DataError, match="1 first-stage scores for 2 candidates"):
        Request(Query("q", "x"), documents, (2.0,))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), np.float32("nan")])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_score_that_is_not_finite_is_refused(bad: float, wrapped: bool) -> None:
    values = (1.0, bad, bad)
    with pytest.raises(ScoringError, match="query 'q': 2 of 3 scores are NaN or infinite"):
        checked_scores(request_of(3), Scores(values) if wrapped else values)


@pytest.mark.parametrize("count", [0, 1, 2, 4, 300])
@pytest.mark.parametrize("wrapped", [False, True])
def test_too_few_and_too_many_scores_are_refused(count: int, wrapped: bool) -> None:
    values = (1.0,) * count
    with pytest.raises(ScoringError, match=f"query 'q': {count} scores for 3 candidates"):
        checked_scores(request_of(3), Scores(values) if wrapped else values)


@pytest.mark.parametrize(
    "answer",
    [
        [[1.0, 2.0]],
        [[1.0], [2.0]],
        np.ones((2, 1)),
        np.ones((2, 2)),
        ["high", "low"],
        [None, 1.0],
        [1j, 2.0],
        {"d0": 1.0, "d1": 2.0},
        {1.0: 3.0, 2.0: 4.0},
        {1.0, 2.0},
        "12",
        b"12",
        ["1", "2"],
        [10**400, 1],
        None,
        3.0,
    ],
    ids=lambda answer: type(answer).__name__,
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_an_answer_that_is_no_flat_sequence_of_numbers_is_refused(answer: Any, wrapped: bool) -> None:
    with pytest.raises(ScoringError, match="query 'q': the scorer's answer is not a flat sequence of numbers"):
        checked_scores(request_of(2), Scores(answer) if wrapped else answer)


@pytest.mark.parametrize("answer", [[1, 2], (1.0, 2.0), np.array([1, 2]), tuple(np.array([1, 2], dtype=np.float32))])
@pytest.mark.parametrize("wrapped", [False, True])
def test_flat_numbers_of_any_kind_become_floats(answer: Any, wrapped: bool) -> None:
    values = checked_scores(request_of(2), Scores(answer) if wrapped else answer).values
    assert values == (1.0, 2.0)
    assert [type(value) for value in values] == [float, float]


def test_the_gate_keeps_diagnostics() -> None:
    assert checked_scores(request_of(1), Scores((1.0,), {"truncated": 1.0})).diagnostics == {"truncated": 1.0}


@pytest.mark.parametrize("value", [1, True, np.float32(1), np.float64(1)])
def test_diagnostics_of_any_kind_become_floats(value: Any) -> None:
    (figure,) = checked_scores(request_of(1), Scores((1.0,), {"a": value})).diagnostics.values()
    assert (figure, type(figure)) == (1.0, float)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), np.float32("nan")])
def test_a_diagnostic_that_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(ScoringError, match="query 'q': diagnostic 'b' is NaN or infinite"):
        checked_scores(request_of(1), Scores((1.0,), {"a": 1.0, "b": bad}))


def test_types_need_no_heavy_package() -> None:
    heavy = ("torch", "numpy", "bm25s", "transformers", "typer", "rich", "openpyxl")
    code = f"import sys, rr, rr.types; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


@settings(max_examples=200, deadline=None)
@given(scores=st.dictionaries(ids, numbers, min_size=1, max_size=30))
def test_the_order_is_that_of_trec_eval(scores: dict[str, float]) -> None:
    # one query a document, in which it alone is relevant: its reciprocal rank tells where trec_eval puts it
    judged = {id_: {id_: 1} for id_ in scores}
    measured = pytrec_eval.RelevanceEvaluator(judged, {"recip_rank"}).evaluate(dict.fromkeys(scores, scores))
    ranks = {id_: round(1 / measured[id_]["recip_rank"]) for id_ in scores}
    assert trec_order(scores) == sorted(scores, key=lambda id_: ranks[id_])


@settings(deadline=None)
@given(scores=st.dictionaries(ids, numbers, min_size=1, max_size=30), seed=st.integers(0, 1000))
def test_the_order_does_not_depend_on_the_order_of_the_input(scores: dict[str, float], seed: int) -> None:
    shuffled = list(scores)
    random.Random(seed).shuffle(shuffled)
    assert trec_order({id_: scores[id_] for id_ in shuffled}) == trec_order(scores)


@settings(deadline=None)
@given(values=st.lists(numbers, max_size=40))
def test_a_ranking_holds_each_candidate_once_with_its_own_score(values: list[float]) -> None:
    request = request_of(len(values))
    ranking = Ranking.from_scores(request, Scores(tuple(values), {"a": 0.5}))
    assert [item.rank for item in ranking.items] == list(range(1, len(values) + 1))
    assert ranking.scores == {f"d{place}": value for place, value in enumerate(values)}
    assert {item.document.id: item.document for item in ranking.items} == {d.id: d for d in request.candidates}
    ranked = [item.score for item in ranking.items]
    assert ranked == sorted(values, reverse=True)
    assert (ranking.query, ranking.diagnostics) == (request.query, {"a": 0.5})


def test_a_ranking_is_best_first_and_ties_go_by_descending_id() -> None:
    ranking = Ranking.from_scores(request_of(4), [1.0, 3.0, 1.0, 2.0])
    assert list(ranking.scores) == ["d1", "d3", "d2", "d0"]


def test_a_ranking_is_not_made_from_what_the_gate_refuses() -> None:
    with pytest.raises(ScoringError, match="1 of 2 scores are NaN"):
        Ranking.from_scores(request_of(2), [float("nan"), 1.0])


def test_the_recall_ceiling_counts_what_the_first_stage_missed() -> None:
    dataset = dataset_of(
        qrels={
            "all": {"d0": 1, "d1": 2, "d2": 0},
            "half": {"d0": 1, "d5": 3},
            "none": {"d5": 1},
            "empty": {"d5": 1},
            "train": {"d0": 1},
        },
        candidates={
            "all": ("d1", "d0", "d3"),
            "half": ("d2", "d0"),
            "none": ("d0", "d1"),
            "empty": (),
            "train": ("d0",),
        },
        splits={"train": ("train",), "dev": ("half", "none"), "test": ("all", "half", "none", "empty")},
    )
    assert dataset.recall_ceiling("test") == pytest.approx((1 + 0.5 + 0 + 0) / 4)
    assert dataset.recall_ceiling("dev") == pytest.approx(0.25)
    assert dataset.recall_ceiling("train") == 1.0


def test_a_judgement_of_grade_0_is_not_relevant() -> None:
    dataset = dataset_of({"q": {"d0": 0, "d1": 1, "d2": -1}}, {"q": ("d0", "d1")}, {"test": ("q",)})
    assert dataset.relevant("q") == {"d1"}


def test_requests_come_in_the_order_of_the_split_with_their_candidates_and_scores() -> None:
    candidates = {"q1": ("d3", "d1"), "q2": ("d0",), "q3": ()}
    dataset = dataset_of({}, candidates, {"dev": ("q2",), "test": ("q3", "q1")})
    requests = dataset.requests("test")
    assert [request.query.id for request in requests] == ["q3", "q1"]
    assert [[document.id for document in request.candidates] for request in requests] == [[], ["d3", "d1"]]
    assert [request.first_stage for request in requests] == [(), (0.0, 1.0)]
