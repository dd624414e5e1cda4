"""The figures in dev_metrics.json against loops."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from rr import Dataset, ModelInfo, Request, RerankError
from rr.training.quality import ranking_quality
from rr_cross_encoder.dev_metrics import RANKING, TARGETS, dev_metrics, labelled_requests


class Drawn:
    """A scorer whose logits are drawn by query and document, higher for what is relevant."""

    info = ModelInfo("logit")

    def __init__(self, dataset: Dataset, apart: float) -> None:
        self._dataset, self._apart = dataset, apart

    def logit(self, query_id: str, document_id: str) -> float:
        drawn = random.Random(f"{query_id} {document_id}").gauss(0, 2)
        return drawn + self._apart * (1 if document_id in self._dataset.relevant(query_id) else -1)

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        return [[self.logit(r.query.id, d.id) for d in r.candidates] for r in requests]


@pytest.fixture
def missed(learnable: Dataset) -> Dataset:
    """The first stage did not find a relevant document of each query."""
    lists = {
        q: tuple(id_ for id_ in ids if id_ != min(learnable.relevant(q))) for q, ids in learnable.candidates.items()
    }
    return replace(learnable, candidates=lists, first_stage={q: (0.0,) * len(ids) for q, ids in lists.items()})


@pytest.mark.parametrize("apart", [0.0, 0.5, 3.0])
def test_the_metrics_are_those_of_all_labelled_pairs(missed: Dataset, apart: float) -> None:
    scorer = Drawn(missed, apart)
    positives, negatives = [], []
    for query_id in missed.splits["dev"]:
        for id_ in sorted({*missed.candidates[query_id], *missed.relevant(query_id)}):
            p = 1 / (1 + math.exp(-scorer.logit(query_id, id_)))
            (positives if id_ in missed.relevant(query_id) else negatives).append(p)
    hits, rejections = sum(p > 0.5 for p in positives), sum(p <= 0.5 for p in negatives)
    told = dev_metrics(scorer, missed)
    found = told["metrics"]
    assert found["accuracy"] == pytest.approx((hits + rejections) / (len(positives) + len(negatives)))
    assert found["balanced_accuracy"] == pytest.approx((hits / len(positives) + rejections / len(negatives)) / 2)
    assert found["avg_pos_score"] == pytest.approx(sum(positives) / len(positives))
    assert found["avg_neg_score"] == pytest.approx(sum(negatives) / len(negatives))
    assert found["margin"] == pytest.approx(found["avg_pos_score"] - found["avg_neg_score"])
    for name in RANKING:
        assert found[name] == pytest.approx(ranking_quality(scorer, missed, name=name))
    assert {name: target["goal"] for name, target in told["targets"].items()} == TARGETS
    met = {"balanced_accuracy": found["balanced_accuracy"] > 0.8, "margin": found["margin"] > 0.4}
    assert {name: target["met"] for name, target in told["targets"].items()} == met
    assert all(target["met"] for target in told["targets"].values()) == (apart == 3.0)


def test_saying_no_to_everything_is_accurate_under_imbalance_and_not_balanced(learnable: Dataset) -> None:
    class No(Drawn):
        def logit(self, query_id: str, document_id: str) -> float:
            return -5.0

    rare = replace(learnable, qrels={q: {min(learnable.relevant(q)): 1} for q in learnable.candidates})
    told = dev_metrics(No(rare, 0.0), rare)
    found = told["metrics"]
    assert found["accuracy"] == pytest.approx(11 / 12)
    assert found["balanced_accuracy"] == 0.5
    assert found["margin"] == pytest.approx(0)
    assert not any(target["met"] for target in told["targets"].values())


def test_each_pair_is_asked_about_once(missed: Dataset) -> None:
    for request in labelled_requests(missed):
        ids = [document.id for document in request.candidates]
        assert sorted(ids) == sorted({*missed.candidates[request.query.id], *missed.relevant(request.query.id)})


def test_a_dev_split_without_negatives_is_an_error(learnable: Dataset) -> None:
    lists = {q: tuple(sorted(learnable.relevant(q))) for q in learnable.candidates}
    bare = replace(learnable, candidates=lists, first_stage={q: (0.0,) * len(ids) for q, ids in lists.items()})
    with pytest.raises(RerankError, match="all candidates of the dev queries are relevant"):
        dev_metrics(Drawn(bare, 0.0), bare)
