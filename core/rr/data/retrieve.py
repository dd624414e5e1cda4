"""First stages: each scores the whole corpus for one query. They are fitted on documents and train queries only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rr.data.text import words
from rr.errors import DataError
from rr.types import Document, Query, Run, trec_order

HISTORY = 10
"""How many of the newest items of a history item-kNN looks at."""


class Retriever(Protocol):
    def scores(self, query: Query) -> Mapping[str, float]:
        """Document id → score, for the documents that were found at all."""
        ...


class Bm25:
    """BM25 in Lucene's variant, k1 = 1.5, b = 0.75 (Robertson & Zaragoza 2009; Kamphuis et al. 2020), by `bm25s`."""

    def __init__(self, documents: Sequence[Document], fold_accents: bool = False) -> None:
        import bm25s

        self._ids = [document.id for document in documents]
        self._fold = fold_accents
        texts = [words(document.content, fold_accents) for document in documents]
        self._vocabulary = {word for text in texts for word in text}
        self._index = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
        if self._vocabulary:
            self._index.index(texts, show_progress=False)

    def scores(self, query: Query) -> dict[str, float]:
        asked = [word for word in words(query.text, self._fold) if word in self._vocabulary]
        if not asked:
            return {}
        values = self._index.get_scores(asked)
        return {self._ids[row]: float(values[row]) for row in np.flatnonzero(values > 0)}


class ItemKnn:
    """Item-based nearest neighbours (Sarwar et al. 2001): the summed cosine between a candidate's users and those of
    the newest items of the history. The catalogue's items × items matrix is held in memory."""

    def __init__(self, documents: Sequence[Document], train: Sequence[Sequence[str]]) -> None:
        self._ids = [document.id for document in documents]
        self._rows = {id_: row for row, id_ in enumerate(self._ids)}
        seen = np.zeros((len(train), len(self._ids)), dtype=np.float32)
        for user, items in enumerate(train):
            seen[user, [self._rows[id_] for id_ in items]] = 1
        norms = np.maximum(np.linalg.norm(seen, axis=0), 1e-12)
        self._similarity: NDArray[np.float32] = (seen.T @ seen) / norms[:, None] / norms[None, :]

    def scores(self, query: Query) -> dict[str, float]:
        rows = [self._rows[document.id] for document in query.history[-HISTORY:] if document.id in self._rows]
        if not rows:
            raise DataError(f"query {query.id!r} has no history, which item-knn needs; set candidates.retriever: bm25")
        values = self._similarity[rows].sum(axis=0)
        return {id_: float(value) for id_, value in zip(self._ids, values, strict=True)}


class GivenRun:
    """The run that the source brought along."""

    def __init__(self, run: Run) -> None:
        if not run:
            raise DataError("candidates.retriever is 'run', but this source has no run; give one, or use bm25")
        self._run = run

    def scores(self, query: Query) -> Mapping[str, float]:
        return self._run.get(query.id, {})


def top(scores: Mapping[str, float], depth: int) -> list[str]:
    """The `depth` best ids, ties in the order of trec_eval."""
    return trec_order(scores)[:depth]
