"""Our formulas against trec_eval, ir_measures, TREC's gdeval and cwl_eval, on a thousand random runs; and what holds of
every measure."""

from __future__ import annotations

import math
import random

import ir_measures
import numpy as np
import pytest
import pytrec_eval
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rr.errors import DataError, PluginError, ScoringError
from rr.measures import UNJUDGED, Rankings, evaluate_all, metric, rankings
from rr.registry.plugins import installed_plugins
from rr.types import trec_order

Grades = dict[str, dict[str, int]]
Run = dict[str, dict[str, float]]

TREC = {
    "nDCG": "ndcg",
    "nDCG@10": "ndcg_cut_10",
    "nDCG@3": "ndcg_cut_3",
    "AP": "map",
    "MAP@5": "map_cut_5",
    "RR": "recip_rank",
    "R@5": "recall_5",
    "Recall@100": "recall_100",
    "P@5": "P_5",
    "Success@1": "success_1",
    "HR@10": "success_10",
    "Rprec": "Rprec",
    "Bpref": "bpref",
}
OF_LEVEL = {
    "AP": "map",
    "AP@5": "map_cut_5",
    "RR": "recip_rank",
    "R@5": "recall_5",
    "P@5": "P_5",
    "Success@1": "success_1",
    "Rprec": "Rprec",
    "Bpref": "bpref",
}
"""Those that know what is relevant, not how much."""
IDS = [f"d{number}" for number in range(40)] + ["D1", "đ", "文", "10", "9"]


def random_judged_runs(seed: int, queries: int, lowest: int) -> tuple[Run, Grades]:
    """Ties, scores that 32 bits cannot tell apart, queries without a run and without a relevant document, lists from
    one document to all, documents that nobody judged and judged ones that nobody found."""
    generator = random.Random(seed)
    run: Run = {}
    qrels: Grades = {}
    for number in range(queries):
        name = f"q{number}"
        found = generator.sample(IDS, generator.choice([1, 2, 5, 12, len(IDS)]))
        digits = generator.choice([0, 1, 12])
        scores = {id_: round(generator.uniform(-2, 2), digits) * generator.choice([1, 1, 1 + 1e-12]) for id_ in found}
        judged = generator.sample(IDS, generator.choice([1, 3, 20, len(IDS)]))
        qrels[name] = {id_: generator.choice([lowest, 0, 0, 1, 1, 2, 3]) for id_ in judged}
        if max(qrels[name].values()) < 0:  # pytrec_eval would never come to an end
            qrels[name][judged[0]] = 0
        if generator.random() < 0.9:
            run[name] = scores
    return run, qrels


RUNS = [(seed, lowest) for lowest in (0, -1, -2) for seed in range(334)]


@pytest.mark.parametrize("lowest", [0, -1, -2])
def test_a_thousand_runs_are_as_trec_eval_has_them(lowest: int) -> None:
    for seed, _ in (one for one in RUNS if one[1] == lowest):
        run, qrels = random_judged_runs(seed, 6, lowest)
        expected = pytrec_eval.RelevanceEvaluator(qrels, set(TREC.values())).evaluate(run)
        ours = evaluate_all(run, qrels, list(qrels), [*map(metric, TREC)])
        for name, trec in TREC.items():
            theirs = [expected[q][trec] if q in run else 0.0 for q in qrels]
            assert ours[name] == pytest.approx(theirs, abs=1e-9), (name, seed)


@pytest.mark.parametrize("judged_only", [False, True])
@pytest.mark.parametrize("rel", [1, 2, 3])
def test_levels_of_relevance_and_condensed_lists_are_as_trec_eval_has_them(rel: int, judged_only: bool) -> None:
    asked = {name.replace("@", f"(rel={rel},judged_only={judged_only})@"): trec for name, trec in OF_LEVEL.items()}
    asked = {name if "(" in name else f"{name}(rel={rel},judged_only={judged_only})": t for name, t in asked.items()}
    for seed in range(100):
        run, qrels = random_judged_runs(seed, 6, 0 if judged_only else -2)
        flag = int(judged_only)
        evaluator = pytrec_eval.RelevanceEvaluator(
            qrels, set(asked.values()), relevance_level=rel, judged_docs_only_flag=flag
        )
        expected = evaluator.evaluate(run)
        ours = evaluate_all(run, qrels, list(qrels), [*map(metric, asked)])
        for name, trec in asked.items():
            theirs = [expected[q][trec] if q in run else 0.0 for q in qrels]
            assert ours[name] == pytest.approx(theirs, abs=1e-9), (name, seed)


def distinct(run: Run) -> Run:
    """Without ties, which others than trec_eval break in their own ways; above 0, where Compat puts what it misses."""
    return {q: {id_: 1 / place for place, id_ in enumerate(trec_order(one), 1)} for q, one in run.items()}


OF_IR_MEASURES = (
    *("nDCG@10", "nDCG", "nDCG(gains={1: 0, 2: 7})@5", "nDCG(judged_only=True)@10", "RR", "RR@3", "RR(rel=2)@10"),
    *("AP", "AP@100", "AP(rel=2)@10", "R@20", "R(rel=2)@5", "P@5", "P(rel=3)@5", "Success@1", "Rprec", "Rprec(rel=2)"),
    *("Bpref", "Bpref(rel=2)", "RBP(p=0.8,rel=1)", "RBP(p=0.5,rel=2)", "Judged@10", "infAP", "SetF", "SetF(beta=2.0)"),
    *("SetAP", "SetP", "SetR", "SetRelP", "IPrec(recall=0.1)", "Compat", "Compat(p=0.8)", "SDCG(max_rel=3)@5"),
    *("BPM(max_rel=3)@5", "INST(max_rel=3)", "NERR8(max_rel=3)@5", "NERR10(max_rel=3)", "alpha_nDCG@10", "ERR_IA@10"),
    *("nERR_IA@20", "NRBP", "StRecall@10"),
)


@pytest.mark.parametrize("name", OF_IR_MEASURES)
def test_values_are_those_of_ir_measures(name: str) -> None:
    """Which leaves out of the mean what it does not report; everything here counts 0 then."""
    measure = ir_measures.parse_measure(name)
    for seed in range(20):
        run, qrels = random_judged_runs(seed, 6, 0)
        run = distinct(run)
        theirs = {one.query_id: one.value for one in ir_measures.iter_calc([measure], qrels, run)}
        ours = evaluate_all(run, qrels, list(qrels), [metric(name)])[name]
        assert ours == pytest.approx([theirs.get(q, 0.0) if q in run else 0.0 for q in qrels], abs=1e-9), seed


@pytest.mark.parametrize("name", ["ERR@5", "ERR@20", "nDCG(dcg='exp-log2')@10"])
def test_values_are_those_of_gdeval(name: str) -> None:
    """TREC's script, which prints five digits."""
    measure = ir_measures.parse_measure(name)
    for seed in range(5):
        run, qrels = random_judged_runs(seed, 6, -1)
        numbered = {q: str(number) for number, q in enumerate(qrels)}
        found = ir_measures.iter_calc(
            [measure],
            {numbered[q]: one for q, one in qrels.items()},
            {numbered[q]: one for q, one in distinct(run).items()},
        )
        theirs = {one.query_id: one.value for one in found}
        ours = evaluate_all(run, qrels, list(qrels), [metric(name)])[name]
        assert ours == pytest.approx([theirs.get(number, 0.0) for number in numbered.values()], abs=6e-6), seed


def test_what_ir_measures_knows_is_known_here() -> None:
    """But for what is no measure from 0 to 1. One that a later release brings is to be added."""
    counts = {"NumQ", "NumRel", "NumRelRet", "NumRet", "alpha_DCG", "α_DCG"}
    ours = {one.component.name for one in installed_plugins().of_kind("measure")}
    assert set(ir_measures.measures.registry) - ours == counts


def test_what_is_not_installed_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rr.registry.plugins.is_met", lambda need: need not in ("ir-measures", "pyndeval"))
    assert metric("AP").per_query({"a": 1.0}, {"a": 1}) == 1.0
    with pytest.raises(PluginError, match=r"needs ir-measures, pyndeval; install with: pip install 'rerank-registry\["):
        metric("alpha_nDCG@10").per_query({"a": 1.0}, {"a": 1})


# properties

ids = st.sampled_from(IDS)
scores = st.sampled_from([0.0, -0.0, 1.0, -2.5, 0.1, 0.1 + 1e-12, 3.0, 1e300, -1e300])
ranked = st.dictionaries(ids, scores, min_size=1)
judgements = st.dictionaries(ids, st.integers(-2, 4), min_size=1)
NAMES = (
    *(
        "nDCG@10",
        "nDCG(dcg='exp-log2')",
        "RR@3",
        "AP",
        "AP(rel=2)@5",
        "R@5",
        "P@5",
        "Success@1",
        "Rprec",
        "Bpref",
        "ERR",
    ),
    *("RBP", "RBP(rel=1)@5", "Judged@3", "ContextPrecision@5", "nDCG(judged_only=True)@3"),
)
MEASURES = [*map(metric, NAMES)]


def one_query(run: dict[str, float], judged: dict[str, int]) -> dict[str, float]:
    return {name: values[0] for name, values in evaluate_all({"q": run}, {"q": judged}, ["q"], MEASURES).items()}


@settings(max_examples=200, deadline=None)
@given(run=ranked, judged=judgements, order=st.randoms())
def test_values_lie_between_0_and_1_and_no_order_of_the_input_changes_them(
    run: dict[str, float], judged: dict[str, int], order: random.Random
) -> None:
    values = one_query(run, judged)
    assert all(0 <= value <= 1 for value in values.values())
    documents, grades = list(run.items()), list(judged.items())
    order.shuffle(documents)
    order.shuffle(grades)
    assert one_query(dict(documents), dict(grades)) == values


@settings(max_examples=200, deadline=None)
@given(run=ranked, judged=judgements)
def test_an_unjudged_document_at_the_bottom_changes_nothing_but_its_own_share(
    run: dict[str, float], judged: dict[str, int]
) -> None:
    assume(min(run.values()) > -1e299)
    longer = {**run, "a last one": min(run.values()) - 1}
    before, after = one_query(run, judged), one_query(longer, judged)
    assert {name: after[name] for name in NAMES if name != "Judged@3"} == {
        name: pytest.approx(before[name], abs=1e-12) for name in NAMES if name != "Judged@3"
    }


@settings(max_examples=200, deadline=None)
@given(judged=judgements)
def test_the_ideal_ranking_is_the_best(judged: dict[str, int]) -> None:
    values = one_query({id_: float(grade) for id_, grade in judged.items()}, judged)
    relevant = any(grade > 0 for grade in judged.values())
    for name in ("nDCG@10", "nDCG(dcg='exp-log2')", "RR@3", "AP", "Success@1", "Rprec", "Bpref"):
        assert values[name] == pytest.approx(float(relevant), abs=1e-12), name


@settings(max_examples=100, deadline=None)
@given(runs=st.lists(ranked, min_size=1, max_size=5), judged=st.lists(judgements, min_size=5, max_size=5))
def test_a_query_has_the_same_values_alone_and_in_company_and_in_any_block(
    runs: list[dict[str, float]], judged: list[dict[str, int]]
) -> None:
    run, qrels = {f"q{n}": one for n, one in enumerate(runs)}, {f"q{n}": one for n, one in enumerate(judged)}
    together = evaluate_all(run, qrels, list(qrels), MEASURES)
    for number in range(len(judged)):
        alone = one_query(run.get(f"q{number}", {}), judged[number])
        assert {name: values[number] for name, values in together.items()} == pytest.approx(alone, abs=1e-12)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rankings, "BLOCK", 1)
        patch.setattr(rankings, "FEW", 0)  # found by their ids
        apart = evaluate_all(run, qrels, list(qrels), MEASURES)
    for name, values in together.items():
        assert values == pytest.approx(apart[name], abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(run=ranked, judged=judgements)
def test_arrays_are_what_dicts_are(run: dict[str, float], judged: dict[str, int]) -> None:
    order = sorted(run, reverse=True)
    shown = Rankings.of_arrays(
        np.array([[run[id_] for id_ in order]]),
        np.array([[judged.get(id_, UNJUDGED) for id_ in order]]),
        np.array([[*judged.values()]]),
    )
    for measure in MEASURES:
        assert measure.values(shown)[0] == measure.per_query(run, judged)


def test_nothing_to_measure() -> None:
    assert [len(values) for values in evaluate_all({}, {}, [], MEASURES).values()] == [0] * len(MEASURES)
    for run in ({}, {"q": {}}):
        assert set(one_query(run.get("q", {}), {"a": 1}).values()) == {0.0}
    assert set(one_query({"a": 1.0}, {}).values()) == {0.0}
    with pytest.raises(ScoringError, match="NaN or infinite"):
        evaluate_all({"q": {"a": 1.0}, "r": {"a": math.inf}}, {"q": {"a": 1}, "r": {"a": 1}}, ["q", "r"], MEASURES)


def test_rankings_cannot_be_changed() -> None:
    found = Rankings.of({"q": {"a": 1.0}}, {"q": {"a": 1}}, ["q"])
    for array in (found.ranks, found.grades, found.lengths, found.judged):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_a_grade_above_the_highest_is_told() -> None:
    assert metric("ERR(max_rel=7)").per_query({"a": 1.0}, {"a": 7}) == pytest.approx(127 / 128)
    with pytest.raises(DataError, match=r"a document has grade 7; write ERR\(max_rel=7\)"):
        metric("ERR@3").per_query({"a": 1.0}, {"a": 7})
