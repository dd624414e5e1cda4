"""The one figure by which trainers select: a ranking metric of the dev split, on its frozen candidates."""

import rr.measures as measures
from rr.errors import DataError
from rr.protocols import Scorer
from rr.rerank import compose
from rr.types import Dataset

DEV_METRIC = "nDCG@10"


def ranking_quality(scorer: Scorer, dataset: Dataset, split: str = "dev", name: str = DEV_METRIC) -> float:
    """The mean of the metric over the split's queries, or its population's. Raises DataError: the split is empty."""
    if not dataset.splits[split]:
        raise DataError(f"data set {dataset.name!r} has no {split} queries; give it more queries that differ")
    measure = measures.metric(name)
    run = {ranking.query.id: ranking.run for ranking in compose(scorer).rerank(dataset.requests(split))}
    values = measures.evaluate(run, dataset.qrels, measures.population(dataset, split, measure), measure)
    return sum(values) / len(values)
