"""First stages: each scores the whole corpus for one query. They are fitted on documents and train queries only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from rr.data.text import words
from rr.errors import DataError
from rr.types import Document, Query, Run, trec_order


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
