"""Corpora of any size: one without some of its documents, and what a data set keeps of one."""

from __future__ import annotations

import heapq
import random
from collections.abc import Collection as Ids
from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile

from rr.data.collection import Collection
from rr.types import Dataset, Document

WHOLE, SAMPLE = (200_000, 200_000_000), (50_000, 50_000_000)
"""Documents that no query needs, and their characters: all are kept up to the first, else up to the second."""


class Remaining(Mapping[str, Document]):
    """The documents without some, which are not held a second time."""

    def __init__(self, documents: Mapping[str, Document], without: Ids[str]) -> None:
        """`without`: ids of documents that are there."""
        self._documents, self._without = documents, without

    def __getitem__(self, id_: str) -> Document:
        if id_ in self._without:
            raise KeyError(id_)
        return self._documents[id_]

    def __contains__(self, id_: object) -> bool:
        return id_ not in self._without and id_ in self._documents

    def __iter__(self) -> Iterator[str]:
        return (id_ for id_ in self._documents if id_ not in self._without)

    def __len__(self) -> int:
        return len(self._documents) - len(self._without)


def held(documents: Mapping[str, Document]) -> Iterator[Document]:
    """The first documents, as far as whoever asks for one twice gets the same object, which may have been changed."""
    return (one for _, one in takewhile(lambda pair: documents[pair[0]] is pair[1], documents.items()))


def kept(
    collection: Collection, query_ids: Iterable[str], candidates: Mapping[str, Iterable[str]], seed: int
) -> tuple[dict[str, Document], list[str]]:
    """What a data set of these queries keeps of the corpus, in its order, and a note where that is not all: what the
    queries need, and a seeded sample of the others, for trainers to draw negatives from."""
    needed: set[str] = set()
    for query_id in query_ids:
        needed.update(candidates[query_id], collection.qrels[query_id])
        needed.update(document.id for document in collection.queries[query_id].history)
        needed.update(negative.document_id for negative in collection.hard_negatives.get(query_id, ()))
    generator, limit, characters, most = random.Random(f"kept {seed}"), 1.0, 0, WHOLE
    found: list[tuple[int, Document]] = []
    drawn: list[tuple[float, int, Document]] = []  # a heap: who drew the highest number is first, and goes first
    for row, (id_, document) in enumerate(collection.documents.items()):
        if id_ in needed:
            found.append((row, document))
        elif (number := generator.random()) < limit:
            heapq.heappush(drawn, (-number, row, document))
            characters += len(document.content)
            while len(drawn) > most[0] or characters > most[1]:
                most = SAMPLE
                negative, _, gone = heapq.heappop(drawn)
                limit, characters = -negative, characters - len(gone.content)
    found += [(row, document) for _, row, document in drawn]
    documents = {document.id: document for _, document in sorted(found, key=lambda one: one[0])}
    if len(documents) == len(collection.documents):
        return documents, []
    told = f"{len(documents)} of {len(collection.documents)} documents kept: what the queries need, and a sample of "
    return documents, [f"{told}the others; copies, near duplicates, words and encodings are counted among these"]


def corpus_size(dataset: Dataset) -> int:
    """How many documents the first stage has searched; the data set may keep fewer."""
    return int(dataset.report.get("documents", len(dataset.documents)))
