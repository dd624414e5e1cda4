"""Metrics against trec_eval itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from rr.errors import RegistryError, ScoringError
from rr.measures import evaluate, metric

TREC = {
    "nDCG@10": "ndcg_cut_10",
    "nDCG@3": "ndcg_cut_3",
    "MAP": "map",
    "MAP@5": "map_cut_5",
    "MRR": "recip_rank",
    "Recall@5": "recall_5",
    "Recall@10": "recall_10",
    "Hit@1": "success_1",
    "Hit@10": "success_10",
}

ids = st.sampled_from([f"d{number}" for number in range(30)] + ["D1", "đ", "10", "9"])
# few distinct scores, so that ties are the rule; and two that differ only beyond 32 bits
scores = st.sampled_from([0.0, 1.0, -2.5, 0.1, 0.1 + 1e-12, 3.0])
runs = st.dictionaries(st.sampled_from(["q1", "q2", "q3"]), st.dictionaries(ids, scores, min_size=1), min_size=1)
grades = st.dictionaries(ids, st.integers(0, 3), min_size=1)


@settings(max_examples=300, deadline=None)
@given(run=runs, judged=st.fixed_dictionaries({"q1": grades, "q2": grades, "q3": grades}))
def test_equal_to_trec_eval_ties_included(run: dict[str, dict[str, float]], judged: dict[str, dict[str, int]]) -> None:
    expected = pytrec_eval.RelevanceEvaluator(judged, set(TREC.values())).evaluate(run)
    ours = {name: evaluate(run, judged, list(judged), metric(name)) for name in TREC}
    for name, trec in TREC.items():
        for place, query_id in enumerate(judged):
            theirs = expected[query_id][trec] if query_id in run else 0.0
            assert ours[name][place] == pytest.approx(theirs, abs=1e-9), (name, query_id)


def test_mrr_at_10_is_the_reciprocal_rank_of_the_first_ten() -> None:
    run = {f"d{number:02}": float(-number) for number in range(12)}
    assert metric("MRR@10").per_query(run, {"d09": 1}) == pytest.approx(0.1)
    assert metric("MRR@10").per_query(run, {"d10": 1}) == 0.0
    assert metric("MRR").per_query(run, {"d10": 1}) == pytest.approx(1 / 11)


def test_a_constant_scorer_does_not_profit_from_the_input_order() -> None:
    # the truth comes first in the input and last in trec_eval's order
    run = {"a": 1.0, **{f"d{number}": 1.0 for number in range(19)}}
    assert metric("MRR").per_query(run, {"a": 1}) == pytest.approx(1 / 20)


@settings(max_examples=300, deadline=None)
@given(run=st.dictionaries(ids, scores, min_size=1), judged=grades, cutoff=st.sampled_from([None, 1, 2, 5, 100]))
def test_context_precision_is_what_a_plain_loop_makes_of_its_definition(
    run: dict[str, float], judged: dict[str, int], cutoff: int | None
) -> None:
    name = "ContextPrecision" + ("" if cutoff is None else f"@{cutoff}")
    order = sorted(sorted(run, reverse=True), key=lambda id_: float(np.float32(run[id_])), reverse=True)
    total, found = 0.0, 0
    for rank, id_ in enumerate(order, 1):
        if (cutoff is None or rank <= cutoff) and judged.get(id_, 0) > 0:
            found += 1
            total += sum(judged.get(above, 0) > 0 for above in order[:rank]) / rank
    assert metric(name).per_query(run, judged) == pytest.approx(total / found if found else 0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("relevant", "cutoff", "expected"),
    [
        ("a", 1, 1.0),
        ("b", 3, 1 / 2),
        ("ac", 3, (1 + 2 / 3) / 2),
        ("ac", 2, 1.0),  # what stands below the cutoff is no context
        ("ax", 3, 1.0),  # nor is what was missed
        ("d", 3, 0.0),  # none is found
        ("abcd", 50, 1.0),  # the list ends before the cutoff
        ("d", 50, 1 / 4),
    ],
)
@pytest.mark.parametrize("grade", [1, 3])
def test_context_precision_looks_at_the_context_alone(relevant: str, cutoff: int, expected: float, grade: int) -> None:
    run = {"a": 4.0, "b": 3.0, "c": 2.0, "d": 1.0}
    judged = {"a": 0, **dict.fromkeys(relevant, grade)}
    assert metric(f"ContextPrecision@{cutoff}").per_query(run, judged) == pytest.approx(expected)


@given(run=runs, judged=st.fixed_dictionaries({"q1": grades, "q2": grades, "q3": grades}))
def test_context_recall_is_recall(run: dict[str, dict[str, float]], judged: dict[str, dict[str, int]]) -> None:
    for cutoff in ("", "@1", "@5", "@100"):
        theirs = evaluate(run, judged, list(judged), metric(f"Recall{cutoff}"))
        assert evaluate(run, judged, list(judged), metric(f"ContextRecall{cutoff}")) == theirs


def test_missed_relevant_documents_lower_recall_and_ndcg() -> None:
    run = {"a": 2.0, "b": 1.0}
    judged = {"a": 1, "never retrieved": 1}
    assert metric("Recall@10").per_query(run, judged) == 0.5
    assert metric("nDCG@10").per_query(run, judged) == pytest.approx(1 / (1 + 1 / math.log2(3)))


def test_a_query_missing_from_the_run_counts_zero() -> None:
    values = evaluate({"q1": {"a": 1.0}}, {"q1": {"a": 1}, "q2": {"a": 1}}, ["q1", "q2"], metric("MRR"))
    assert values == [1.0, 0.0]


def test_nan_is_an_error() -> None:
    with pytest.raises(ScoringError, match="NaN"):
        metric("MRR").per_query({"a": float("nan")}, {"a": 1})


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ndgc@10", "no measure is called 'ndgc'; did you mean 'nDCG'"),
        ("nDCG@0", "cutoff: Input should be greater than 0"),
        ("nDCG@", "is not written as"),
        ("Recall@-1", "is not written as"),
        ("nDCG@1.5", "is not written as"),
        ("", "is not written as"),
        ("nDCG(10)", "its parameters are not written as"),
        ("AP(rel=1, rel=2)", "its parameters are not written as"),
        ("AP(cutoff=2)@2", "its parameters are not written as"),
        ("AP(rel=2)(rel=2)", "its parameters are not written as"),
        ("AP(rel=print(1))", "its parameters are not written as"),
        ("AP(**{'rel': 2})", "its parameters are not written as"),
        ("AP(rle=2)", "unknown key 'rle'; did you mean 'rel'"),
        ("AP(rel=0)", "rel: Input should be greater than 0"),
        ("AP(rel='2')", "rel: Input should be a valid integer"),
        ("AP(rel=True)", "rel: Input should be a valid integer"),
        ("RBP(p=1.0)", "p: Input should be less than 1"),
        ("nDCG(dcg='exp')@3", "dcg: Input should be 'log2' or 'exp-log2'"),
        ("Rprec@10", "unknown key 'cutoff'; known: rel"),
        ("P", "needs a cutoff, written behind it as @10"),
        ("Judged", "needs a cutoff, written behind it as @10"),
        ("BPM@10", "key 'max_rel' is missing"),
        ("AP(judged_only=1)", "judged_only is True or False, not 1"),
        ("somebody/AP", "no measure is called 'somebody/AP'"),
    ],
)
def test_a_name_that_is_wrong_is_an_error_of_one_line(name: str, said: str) -> None:
    with pytest.raises(RegistryError) as told:
        metric(name)
    assert str(told.value).startswith(f"metric {name!r}")
    assert said in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nDCG@10", {"cutoff": 10, "dcg": "log2", "gains": None}),
        ("nDCG(dcg='exp-log2')@10", {"cutoff": 10, "dcg": "exp-log2", "gains": None}),
        ("nDCG(gains={0: 0, 2: 5})", {"cutoff": None, "dcg": "log2", "gains": {0: 0, 2: 5}}),
        ("AP(rel=2)@100:all-users", {"cutoff": 100, "rel": 2}),
        ("AP(cutoff=7)", {"cutoff": 7, "rel": 1}),
        ("RBP(p=0.5, rel=1)", {"cutoff": None, "p": 0.5, "rel": 1}),
        ("rerank-registry/P@5", {"cutoff": 5, "rel": 1}),
        ("α_nDCG@20", {"cutoff": 20, "rel": 1, "alpha": 0.5}),
        ("R(judged_only=True)@3", {"cutoff": 3, "rel": 1}),
    ],
)
def test_a_name_says_the_parameters(name: str, expected: dict[str, object]) -> None:
    found = metric(name)
    assert (found.name, found.settings.model_dump()) == (name, expected)
    assert found.judged_only == ("judged_only" in name)


@pytest.mark.parametrize(
    ("alias", "name"),
    [("MRR@3", "RR@3"), ("MAP", "AP"), ("Recall@3", "R@3"), ("Hit@3", "Success@3"), ("HR@3", "Success@3")],
)
def test_other_names_are_the_same_measure(alias: str, name: str) -> None:
    run, judged = {"a": 4.0, "b": 3.0, "c": 2.0, "d": 1.0}, {"b": 1, "d": 2, "e": 1}
    assert metric(alias).per_query(run, judged) == metric(name).per_query(run, judged) > 0


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("ndcg@10", "nDCG"), ("context_precision@5", "ContextPrecision"), ("context_recall@5", "ContextRecall")],
)
def test_the_nearest_metric_is_suggested(name: str, nearest: str) -> None:
    with pytest.raises(RegistryError, match=f"did you mean '{nearest}'"):
        metric(name)
