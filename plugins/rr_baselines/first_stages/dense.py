"""Cosine of embeddings over the whole corpus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from rr import Corpus, Query
from rr_baselines.first_stages.best import with_ties
from rr_baselines.first_stages.graph import Graph
from rr_baselines.first_stages.vectors import CorpusVectors, Vectors, unit
from rr_baselines.settings import DenseSettings
from rr_torch import FrozenEncoder

ASKED = 1024
"""Queries that go through the vectors together."""

Found = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Rows of documents, and their scores."""


class Dense:
    """Cosine of the embeddings of query and document, by any sentence-transformers encoder. What is blank is not found,
    and finds nothing."""

    Settings = DenseSettings
    learns = False

    def __init__(self, settings: DenseSettings) -> None:
        self._settings = settings
        self._encoder = FrozenEncoder(settings)

    def fit(self, corpus: Corpus) -> None:
        self._vectors = CorpusVectors(corpus.documents, self._encoder, self._settings)
        if self._settings.index == "usearch":
            self._graph = Graph(self._vectors.blocks, self._encoder.dimensions, self._settings)

    def scores(self, query: Query) -> dict[str, float]:
        """Of all documents, under any index."""
        found: dict[str, float] = {}
        if query.text.strip():
            (asked,) = self._embedded([query])
            for block in self._vectors.blocks:
                vectors = block.read()
                found |= self._answer((np.arange(block.first, block.first + len(vectors)), cosines(asked, vectors)))
        return found

    def search(self, queries: Sequence[Query], depth: int) -> Iterable[dict[str, float]]:
        """Under index usearch the best that it finds, which may not be all."""
        for start in range(0, len(queries), ASKED):
            part = queries[start : start + ASKED]
            asked = [query for query in part if query.text.strip()]
            vectors = self._embedded(asked)
            near = self._near if self._settings.index == "usearch" else self._exact
            answers = dict(zip(map(id, asked), near(vectors, depth), strict=True))
            for query in part:
                yield self._answer(answers[id(query)]) if id(query) in answers else {}

    def _embedded(self, queries: Sequence[Query]) -> Vectors:
        return unit(self._encoder([query.text for query in queries], "query").cpu().numpy())

    def _answer(self, found: Found) -> dict[str, float]:
        rows, values = found
        return {self._vectors.ids[row]: value for row, value in zip(rows.tolist(), values.tolist(), strict=True)}

    def _near(self, asked: Vectors, depth: int) -> Iterator[Found]:
        for query in asked:
            rows, vectors = self._graph.search(query, depth)
            yield rows, cosines(query, vectors)

    def _exact(self, asked: Vectors, depth: int) -> Iterator[Found]:
        """The best of each query: those that a matrix product finds near the top are scored one by one."""
        best: list[Found] = [(np.zeros(0, np.int64), np.zeros(0, np.float32)) for _ in asked]
        # how far a product in 32 bits can be from the one that counts: of two vectors of length 1
        error = 2 * asked.shape[1] * np.finfo(np.float32).eps
        for block in self._vectors.blocks:
            vectors = block.read()
            for number, near in enumerate(asked @ vectors.T):
                rows, values = best[number]
                floor = np.partition(near, -depth)[-depth] if len(near) > depth else -np.inf
                if len(values) >= depth:
                    floor = max(floor, values.min())
                places = np.flatnonzero(near >= floor - error)
                rows = np.concatenate([rows, places + block.first])
                values = np.concatenate([values, cosines(asked[number], vectors[places])])
                held = with_ties(values, depth)
                best[number] = rows[held], values[held]
        yield from best


def cosines(query: Vectors, documents: Vectors) -> NDArray[np.float32]:
    """Of vectors of length 1. Not as a matrix product, whose last bit depends on the row: equal texts must get equal
    scores, whatever comes along."""
    products: NDArray[np.float64] = documents.astype(np.float64) * query.astype(np.float64)
    return np.asarray(np.clip(products.sum(axis=1), -1.0, 1.0), np.float32)
