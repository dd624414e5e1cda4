"""First stages that compare words: BM25 and TF-IDF over the whole corpus, and BM25 over a request's candidates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rr import Corpus, Document, ModelInfo, Query, Request
from rr_baselines.settings import WordSettings
from rr_baselines.text import words


class Bm25:
    """BM25 in Lucene's variant, k1 = 1.5, b = 0.75 (Robertson & Zaragoza 2009; Kamphuis et al. 2020), by `bm25s`."""

    Settings = WordSettings
    learns = False

    def __init__(self, settings: WordSettings) -> None:
        self._fold = settings.fold_accents

    def fit(self, corpus: Corpus) -> None:
        self.index(corpus.documents)

    def index(self, documents: Iterable[Document]) -> None:
        import bm25s

        found = [(document.id, words(document.content, self._fold)) for document in documents]
        self._ids, texts = [id_ for id_, _ in found], [text for _, text in found]
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


class Bm25Scorer:
    """BM25 whose collection is the request's own candidates: document frequencies and lengths are theirs, which is
    all that a reranker is given. (Over the whole corpus it is the first stage.)"""

    Settings = WordSettings
    info = ModelInfo("rank", listwise=True)

    def __init__(self, settings: WordSettings, checkpoint: Path | None = None) -> None:
        self._bm25 = Bm25(settings)

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        return [self._score(request) for request in requests]

    def _score(self, request: Request) -> list[float]:
        self._bm25.index(request.candidates)
        found = self._bm25.scores(request.query)
        return [found.get(document.id, 0.0) for document in request.candidates]


class TfIdf:
    """Cosine of TF-IDF vectors as scikit-learn's TfidfVectorizer makes them: counts times
    1 + ln((1 + n) / (1 + document frequency))."""

    Settings = WordSettings
    learns = False

    def __init__(self, settings: WordSettings) -> None:
        self._fold = settings.fold_accents

    def fit(self, corpus: Corpus) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._ids = [document.id for document in corpus.documents]
        texts = [words(document.content, self._fold) for document in corpus.documents]
        self._vectorizer = TfidfVectorizer(analyzer=_as_given)
        self._vectors: Any = self._vectorizer.fit_transform(texts) if any(texts) else None

    def scores(self, query: Query) -> dict[str, float]:
        if self._vectors is None:
            return {}
        asked = self._vectorizer.transform([words(query.text, self._fold)])
        found = (self._vectors @ asked.T).tocoo()
        return {self._ids[row]: float(value) for row, value in zip(found.row, found.data, strict=True)}


def _as_given(text: list[str]) -> list[str]:
    """It is in words already."""
    return text
