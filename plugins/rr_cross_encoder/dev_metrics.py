"""How the trained model does on the dev split, as figures and against targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from rr import Dataset, Ranking, Request, RerankError, Scorer
from rr.measures import evaluate, metric

RANKING = ("nDCG@10", "MRR@10", "MAP", "Recall@10")
TARGETS = {"balanced_accuracy": 0.80, "margin": 0.40}
"""Not `accuracy`: of many negatives to a positive, a model that always says no has that too."""


def dev_metrics(scorer: Scorer, dataset: Dataset) -> dict[str, Any]:
    """`metrics` and `targets` of the dev split, for a scorer of logits.

    Its labelled pairs are each query with all its relevant documents and with those of its candidates that are not
    relevant. Of them, with p = 1 / (1 + exp(-logit)): `accuracy`, the share with p > 0.5 just where the document is
    relevant; `balanced_accuracy`, the mean of that share among relevant and among other pairs; `avg_pos_score` and
    `avg_neg_score`, the means of p; `margin`, their difference. The ranking metrics are those of the candidates alone.
    """
    requests = labelled_requests(dataset)
    answers = scorer.score(requests)
    ranked = [Ranking.from_scores(*one).scores for one in zip(requests, answers, strict=True)]  # which checks them
    scores = [[found[id_] for id_ in _ids(request)] for request, found in zip(requests, ranked, strict=True)]
    logits = torch.tensor([value for values in scores for value in values], dtype=torch.float64)
    relevant = torch.tensor([id_ in dataset.relevant(r.query.id) for r in requests for id_ in _ids(r)])
    p = logits.sigmoid()
    right = ((p > 0.5) == relevant).double()
    pos, neg = p[relevant].mean(), p[~relevant].mean()
    metrics = {
        "accuracy": right.mean().item(),
        "balanced_accuracy": ((right[relevant].mean() + right[~relevant].mean()) / 2).item(),
        "avg_pos_score": pos.item(),
        "avg_neg_score": neg.item(),
        "margin": (pos - neg).item(),
    }
    run = {r.query.id: dict(zip(_ids(r), values, strict=True)) for r, values in zip(requests, scores, strict=True)}
    queries = dataset.splits["dev"]
    shown = {query_id: {id_: run[query_id][id_] for id_ in dataset.candidates[query_id]} for query_id in queries}
    for name in RANKING:
        values = evaluate(shown, dataset.qrels, queries, metric(name))
        metrics[name] = sum(values) / len(values)
    targets = {name: {"goal": goal, "met": metrics[name] > goal} for name, goal in TARGETS.items()}
    return {"metrics": metrics, "targets": targets}


def labelled_requests(dataset: Dataset) -> list[Request]:
    """The dev queries with their candidates, and behind these the relevant documents that are none.

    Raises:
        RerankError: there is nothing in them that is not relevant.
    """
    requests = []
    for request in dataset.requests("dev"):
        missed = sorted(dataset.relevant(request.query.id) - set(_ids(request)))
        documents = (*request.candidates, *(dataset.documents[id_] for id_ in missed))
        requests.append(replace(request, candidates=documents, first_stage=None))
    if not any(set(_ids(r)) - dataset.relevant(r.query.id) for r in requests):
        raise RerankError("all candidates of the dev queries are relevant: nothing can be selected on them")
    return requests


def _ids(request: Request) -> Sequence[str]:
    return [document.id for document in request.candidates]
