"""Negatives to train on. They come from the split that is trained on, and are never judged relevant, nor equal in text
to what is (`rr.data.folded`), be it under another id or for a query that asks the same."""

import random
from collections.abc import Collection, Mapping

from rr.types import Dataset, HardNegative, folded, trec_order


def hard_negatives(
    dataset: Dataset, query_id: str, top_k: int, scores: Mapping[str, float] | None = None
) -> list[HardNegative]:
    """The query's hardest non-relevant documents, hardest first: those that the data set names, with their types and
    weights, then the best by `scores` (document id → score; None: the first stage's) with weight 1. No text comes
    twice. `top_k` in all at the most."""
    scores = first_stage_scores(dataset, query_id) if scores is None else scores
    given = {negative.document_id: negative for negative in dataset.hard_negatives.get(query_id, ())}
    order = [*given, *(id_ for id_ in trec_order(scores) if id_ not in given)]
    excluded, by_text = answers(dataset, query_id), dict[str, str]()
    for id_ in order:
        by_text.setdefault(folded(dataset.documents[id_].content), id_)
    ids = [id_ for text, id_ in by_text.items() if text not in excluded]
    return [given.get(id_) or HardNegative(id_) for id_ in ids[:top_k]]


def random_negatives(
    dataset: Dataset, query_id: str, count: int, generator: random.Random, without: Collection[str] = ()
) -> list[str]:
    """`count` distinct document ids drawn from the corpus: none relevant, none in the query's history, none of
    `without`, none with the text of one of these or of another one. Fewer only where the corpus has no more."""
    excluded = answers(dataset, query_id, without)
    pool = list(dataset.documents)
    drawn: dict[str, str] = {}
    while pool and len(drawn) < count:  # one by one: reading the whole corpus takes long where it is large
        place = generator.randrange(len(pool))
        pool[place], pool[-1] = pool[-1], pool[place]
        id_ = pool.pop()
        text = folded(dataset.documents[id_].content)
        if text not in excluded:
            drawn.setdefault(text, id_)
    return list(drawn.values())


def first_stage_scores(dataset: Dataset, query_id: str) -> dict[str, float]:
    """Document id → score, of the query's candidates; 0 of those that came without one."""
    scores = dataset.first_stage.get(query_id) or (0.0,) * len(dataset.candidates[query_id])
    return dict(zip(dataset.candidates[query_id], scores, strict=True))


def answers(dataset: Dataset, query_id: str, without: Collection[str] = ()) -> set[str]:
    """The folded texts that are no negatives of the query: of what is relevant to it, or to a query that asks the same
    (which a model could not tell from it), of its history, and of `without`."""
    history = {folded(document.content) for document in dataset.queries[query_id].history}
    relevant = {id_ for other in dataset.asking_the_same[query_id] for id_ in dataset.relevant(other)}
    return history | {folded(dataset.documents[id_].content) for id_ in (*relevant, *without)}
