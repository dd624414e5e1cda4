"""First stages: each scores the whole corpus for one query. They are fitted on documents and train queries only."""

from __future__ import annotations

import math
from collections import Counter
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


class TfIdf:
    """Cosine of TF-IDF vectors: counts times 1 + ln((1 + n) / (1 + document frequency)), as scikit-learn has it."""

    def __init__(self, documents: Sequence[Document], fold_accents: bool = False) -> None:
        self._fold = fold_accents
        counts = [Counter(words(document.content, fold_accents)) for document in documents]
        frequencies = Counter(word for count in counts for word in count)
        self._idf = {word: 1 + math.log((1 + len(counts)) / (1 + n)) for word, n in frequencies.items()}
        self._postings: dict[str, list[tuple[str, float]]] = {word: [] for word in frequencies}
        for document, count in zip(documents, counts, strict=True):
            for word, value in self._vector(count).items():
                self._postings[word].append((document.id, value))

    def scores(self, query: Query) -> dict[str, float]:
        asked = Counter(word for word in words(query.text, self._fold) if word in self._idf)
        found: dict[str, float] = {}
        for word, value in self._vector(asked).items():
            for id_, weight in self._postings[word]:
                found[id_] = found.get(id_, 0.0) + value * weight
        return found

    def _vector(self, counts: Mapping[str, int]) -> dict[str, float]:
        """Word → weight, of length 1."""
        weights = {word: count * self._idf[word] for word, count in counts.items()}
        length = math.sqrt(sum(weight * weight for weight in weights.values()))
        return {word: weight / length for word, weight in weights.items()}


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
