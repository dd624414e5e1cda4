"""The queries that a metric is a mean over.

LlamaRec (Yue et al. 2023, https://arxiv.org/abs/2311.02089) reranks a retriever's best 20 items for the users whose
target is among them, and reports two figures: of those users (`valid-retrieval`), and of all (`all-users`), where a
user whose target was missed keeps the retriever's ranking:

    all-users = (n_valid · mean over the valid + n_missed · the retriever's mean over the missed) / n

What the first stage missed stands nowhere among its `depth` candidates, so the second term is 0 at any cutoff up to the
depth, and `all-users` has the value of the plain metric, under the name that such papers use.
"""

from __future__ import annotations

from rr.errors import DataError
from rr.measures.metrics import Metric
from rr.types import Dataset


def population(dataset: Dataset, split: str, measure: Metric) -> tuple[str, ...]:
    """The ids of those queries of the split, in its order.

    Raises:
        DataError: the data set cannot tell what its first stage found, or it found nothing.
    """
    queries = dataset.splits[split]
    if measure.population is None:
        return queries
    if dataset.protocol == "oracle":
        raise DataError(
            f"metric {measure.name!r} is about what the first stage found, and protocol oracle puts the relevant "
            "documents in; set candidates.protocol: end-to-end, or take the population off the metric"
        )
    if measure.population == "all-users":
        return queries
    valid = tuple(
        query_id
        for query_id in queries
        if any(dataset.qrels[query_id].get(id_, 0) > 0 for id_ in dataset.candidates[query_id])
    )
    if not valid:
        raise DataError(
            f"metric {measure.name!r} has no queries: {dataset.retriever} put a relevant document among the candidates "
            f"of none of the {len(queries)} {split} queries; raise candidates.depth, or take another retriever"
        )
    return valid
