"""Negatives to train on. They come from the split that is trained on, and are never judged relevant."""

from __future__ import annotations

import random
from collections.abc import Collection

from rr.types import Dataset, HardNegative, trec_order


def hard_negatives(dataset: Dataset, query_id: str, top_k: int) -> list[HardNegative]:
    """The query's hardest non-relevant documents, hardest first: those that the data set names, with their types and
    weights, then the first stage's best candidates with weight 1, `top_k` in all at the most."""
    excluded = dataset.relevant(query_id) | {document.id for document in dataset.queries[query_id].history}
    given = [n for n in dataset.hard_negatives.get(query_id, ()) if n.document_id not in excluded]
    known = {negative.document_id for negative in given} | excluded
    scores = dict(zip(dataset.candidates[query_id], dataset.first_stage[query_id], strict=True))
    mined = [HardNegative(id_) for id_ in trec_order(scores) if id_ not in known]
    return (given + mined)[:top_k]


def random_negatives(
    dataset: Dataset, query_id: str, count: int, generator: random.Random, without: Collection[str] = ()
) -> list[str]:
    """`count` distinct document ids drawn from the corpus: none relevant, none in the query's history, none of
    `without`. Fewer only where the corpus has no more."""
    excluded = dataset.relevant(query_id) | set(without) | {d.id for d in dataset.queries[query_id].history}
    pool = [id_ for id_ in dataset.documents if id_ not in excluded]
    return generator.sample(pool, min(count, len(pool)))
