"""Our formulas against trec_eval, ir_measures, TREC's gdeval and cwl_eval, on a thousand random runs."""

from __future__ import annotations

import random

import ir_measures
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from rr.measures import evaluate_all, metric

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
OF_LEVEL = ("AP", "AP@5", "RR", "R@5", "P@5", "Success@1", "Rprec", "Bpref")
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
    wanted = {TREC.get(name, TREC["MAP@5"]) for name in OF_LEVEL}
    lowest = 0 if judged_only else -2
    for seed in range(100):
        run, qrels = random_judged_runs(seed, 6, lowest)
        flag = int(judged_only)
        evaluator = pytrec_eval.RelevanceEvaluator(qrels, wanted, relevance_level=rel, judged_docs_only_flag=flag)
        expected = evaluator.evaluate(run)
        for name in OF_LEVEL:
            base, _, cutoff = name.partition("@")
            asked = f"{base}(rel={rel},judged_only={judged_only}){cutoff and '@'}{cutoff}"
            ours = evaluate_all(run, qrels, list(qrels), [metric(asked)])[asked]
            theirs = [expected[q][TREC.get(name, TREC["MAP@5"])] if q in run else 0.0 for q in qrels]
            assert ours == pytest.approx(theirs, abs=1e-9), (asked, seed)
