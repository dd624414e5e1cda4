"""The one figure by which trainers select: a ranking metric of the dev split, on its frozen candidates."""

from __future__ import annotations

from typing import Any

from rr.errors import DataError
from rr.evaluate.metrics import evaluate, metric
from rr.evaluate.population import population
from rr.protocols import Scorer, Settings
from rr.rerank.compose import compose
from rr.types import Dataset

DEV_METRIC = "nDCG@10"


def dev_share(training: Settings) -> list[Any] | None:
    """Share and seed of a dev split of the training's own, where its settings ask for one: a dev figure can only be
    compared with those of the same split."""
    share = getattr(training, "dev_ratio", None)
    return None if share is None else [share, getattr(training, "seed", None)]


def ranking_quality(scorer: Scorer, dataset: Dataset, split: str = "dev", name: str = DEV_METRIC) -> float:
    """The mean of the metric over the split's queries, those of its population if it names one.

    Raises:
        DataError: the split is empty.
    """
    if not dataset.splits[split]:
        raise DataError(f"data set {dataset.name!r} has no {split} queries; give it more queries that differ")
    measure = metric(name)
    rankings = compose(scorer).rerank(dataset.requests(split))
    run = {ranking.query.id: ranking.run for ranking in rankings}
    values = evaluate(run, dataset.qrels, population(dataset, split, measure), measure)
    return sum(values) / len(values)
