"""The one figure by which trainers select: a ranking metric of the dev split, on its frozen candidates."""

from __future__ import annotations

from rr.evaluate.metrics import evaluate, metric
from rr.evaluate.population import population
from rr.protocols import Scorer, Settings
from rr.rerank.compose import compose
from rr.types import Dataset

DEV_METRIC = "nDCG@10"


def dev_metric(training: Settings) -> str:
    """What a trainer with these settings selects by: its own `dev_metric`, where it has such a setting."""
    return str(getattr(training, "dev_metric", DEV_METRIC))


def ranking_quality(scorer: Scorer, dataset: Dataset, split: str = "dev", name: str = DEV_METRIC) -> float:
    """The mean of the metric over the split's queries, those of its population if it names one."""
    measure = metric(name)
    rankings = compose(scorer).rerank(dataset.requests(split))
    run = {ranking.query.id: ranking.scores for ranking in rankings}
    values = evaluate(run, dataset.qrels, population(dataset, split, measure), measure)
    return sum(values) / len(values)
