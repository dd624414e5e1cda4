"""Cosine of TF-IDF vectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from rr import Corpus, Query
from rr_baselines.first_stages.best import with_ties
from rr_baselines.settings import WordSettings
from rr_baselines.text import Analysis


class TfIdf:
    """Cosine of TF-IDF vectors as scikit-learn's TfidfVectorizer makes them: counts times
    1 + ln((1 + n) / (1 + document frequency)). The vectors are held in memory, 12 bytes a distinct word of a
    document."""

    Settings = WordSettings
    learns = False

    def __init__(self, settings: WordSettings) -> None:
        self._analysis = Analysis(settings)

    def fit(self, corpus: Corpus) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._ids: list[str] = []
        texts = self._read(corpus)
        head = []  # up to the first that has a word: without one there is no vocabulary
        for text in texts:
            head.append(text)
            if text:
                break
        self._vectorizer = TfidfVectorizer(analyzer=_as_given)
        found = bool(head and head[-1])
        self._vectors: Any = self._vectorizer.fit_transform(chain(head, texts)) if found else None

    def _read(self, corpus: Corpus) -> Iterator[list[str]]:
        for document in corpus.documents:
            self._ids.append(document.id)
            yield self._analysis(document.content)

    def scores(self, query: Query) -> dict[str, float]:
        return self._found(query, None)

    def search(self, queries: Sequence[Query], depth: int) -> Iterable[dict[str, float]]:
        for query in queries:
            yield self._found(query, depth)

    def _found(self, query: Query, depth: int | None) -> dict[str, float]:
        if self._vectors is None:
            return {}
        found = (self._vectors @ self._vectorizer.transform([self._analysis(query.text)]).T).tocoo()
        rows, values = found.row, found.data
        if depth is not None:
            chosen = with_ties(values.astype(np.float32), depth)
            rows, values = rows[chosen], values[chosen]
        return {self._ids[row]: value for row, value in zip(rows.tolist(), values.tolist(), strict=True)}


def _as_given(text: list[str]) -> list[str]:
    """It is in words already."""
    return text
