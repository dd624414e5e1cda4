"""Negatives to train on. They come from the split that is trained on, and are never judged relevant, nor equal in text
to what is."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Mapping

from rr.types import Dataset, HardNegative, trec_order


def hard_negatives(
    dataset: Dataset, query_id: str, top_k: int, scores: Mapping[str, float] | None = None
) -> list[HardNegative]:
    """The query's hardest non-relevant documents, hardest first: those that the data set names, with their types and
    weights, then the best by `scores` (document id → score; None: the first stage's) with weight 1. No text comes
    twice. `top_k` in all at the most."""
    if scores is None:
        scores = first_stage_scores(dataset, query_id)
    given = {negative.document_id: negative for negative in dataset.hard_negatives.get(query_id, ())}
    order = [*given, *(id_ for id_ in trec_order(scores) if id_ not in given)]
    ids = _negatives(dataset, query_id, order)[:top_k]
    return [given.get(id_) or HardNegative(id_) for id_ in ids]


def random_negatives(
    dataset: Dataset, query_id: str, count: int, generator: random.Random, without: Collection[str] = ()
) -> list[str]:
    """`count` distinct document ids drawn from the corpus: none relevant, none in the query's history, none of
    `without`, none with the text of one of these or of another one. Fewer only where the corpus has no more."""
    excluded = _excluded(dataset, query_id, without)
    pool = list(dataset.documents)
    drawn: dict[str, str] = {}
    while pool and len(drawn) < count:  # one by one: reading the whole corpus takes long where it is large
        place = generator.randrange(len(pool))
        pool[place], pool[-1] = pool[-1], pool[place]
        id_ = pool.pop()
        text = dataset.documents[id_].content
        if text not in excluded:
            drawn.setdefault(text, id_)
    return list(drawn.values())


def first_stage_scores(dataset: Dataset, query_id: str) -> dict[str, float]:
    """Document id → score, of the query's candidates."""
    return dict(zip(dataset.candidates[query_id], dataset.first_stage[query_id], strict=True))


def _negatives(dataset: Dataset, query_id: str, ids: Iterable[str]) -> list[str]:
    """The first of `ids` with each text that is not excluded."""
    excluded = _excluded(dataset, query_id)
    by_text: dict[str, str] = {}
    for id_ in ids:
        by_text.setdefault(dataset.documents[id_].content, id_)
    return [id_ for text, id_ in by_text.items() if text not in excluded]


def _excluded(dataset: Dataset, query_id: str, without: Collection[str] = ()) -> set[str]:
    """The texts of the query's relevant documents, its history and `without`."""
    history = {document.content for document in dataset.queries[query_id].history}
    return history | {dataset.documents[id_].content for id_ in (*dataset.relevant(query_id), *without)}
