"""What plugins are shown of a data set: no more than they need, and nothing besides the texts that tells an answer."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from rr.types import Dataset, Document, Query
from rr_bench.data.report import report_without_test
from rr_bench.data.splits import answerable

T = TypeVar("T")


def shown(dataset: Dataset) -> Dataset:
    """Under protocol oracle every query has its truth among its candidates, and whatever singles it out gives it away:
    there documents are shown with their texts alone, under ids drawn by lot (`d7`), the same for every reranker. By
    these ties are broken, too. Under protocol end-to-end the data set is shown as it is."""
    if dataset.protocol != "oracle":
        return dataset
    ids = sorted({*dataset.documents, *(id_ for judged in dataset.qrels.values() for id_ in judged)})
    random.Random(dataset.fingerprint).shuffle(ids)
    lot = {id_: f"d{number}" for number, id_ in enumerate(ids, 1)}
    # in the order of the lot: that of the source may tell, too, which documents belong together
    texts = {id_: dataset.documents[id_] for id_ in ids if id_ in dataset.documents}
    documents = {lot[id_]: Document(lot[id_], document.text, document.title) for id_, document in texts.items()}
    return replace(
        dataset,
        documents=documents,
        queries={
            query.id: Query(query.id, query.text, tuple(documents[lot[item.id]] for item in query.history))
            for query in dataset.queries.values()
        },
        qrels={q: {lot[id_]: grade for id_, grade in judged.items()} for q, judged in dataset.qrels.items()},
        candidates={q: tuple(map(lot.__getitem__, found)) for q, found in dataset.candidates.items()},
        hard_negatives={
            q: tuple(replace(one, document_id=lot[one.document_id]) for one in negatives)
            for q, negatives in dataset.hard_negatives.items()
        },
    )


def without_test(dataset: Dataset) -> Dataset:
    """What trainers get: the whole corpus, and of the queries those of train and dev that have an answer. The test
    split is empty, and nothing of its queries is there, nor in the report; no facets either, which are for tables."""
    dev = tuple(query_id for query_id in dataset.splits["dev"] if answerable(dataset.qrels, query_id))
    learned = {*dataset.splits["train"], *dev}

    def kept(parts: Mapping[str, T]) -> dict[str, T]:
        return {query_id: part for query_id, part in parts.items() if query_id in learned}

    return replace(
        dataset,
        splits={**dataset.splits, "dev": dev, "test": ()},
        queries=kept(dataset.queries),
        qrels=kept(dataset.qrels),
        candidates=kept(dataset.candidates),
        first_stage=kept(dataset.first_stage),
        hard_negatives=kept(dataset.hard_negatives),
        groups=kept(dataset.groups),
        facets={},
        report=report_without_test(dataset.report),
    )
