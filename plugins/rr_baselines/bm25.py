"""BM25 over a request's candidates."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rr import ModelInfo, Request
from rr.files import keeping
from rr_baselines.lucene import impacts, rarity
from rr_baselines.settings import Bm25Settings
from rr_baselines.text import Analysis

Counts = tuple[Mapping[str, int], int]
"""How often each term stands in a document, and how many there are in all."""
KEPT = 1 << 26
"""Bytes, about, of the counts that are kept for other requests with the same documents."""
PER_TERM = 100


class Bm25Scorer:
    """BM25 whose collection is the request's own candidates: document frequencies and lengths are theirs, which is
    all that a reranker is given. (Over the whole corpus it is the first stage.)"""

    Settings = Bm25Settings
    info = ModelInfo("rank", listwise=True)

    def __init__(self, settings: Bm25Settings, checkpoint: Path | None = None) -> None:
        self._settings = settings
        self._analysis = Analysis(settings)
        self._kept: OrderedDict[str, Counts] = OrderedDict()
        self._bytes = 0

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        return [self._score(request).tolist() for request in requests]

    def _score(self, request: Request) -> NDArray[np.float32]:
        documents = [self._counts(document.content) for document in request.candidates]
        lengths = np.array([length for _, length in documents], np.float64)
        values = np.zeros(len(documents), np.float32)
        for term in self._analysis(request.query.text):
            counts = np.array([found.get(term, 0) for found, _ in documents], np.float64)
            holding = np.flatnonzero(counts)
            if len(holding):
                known = rarity(len(holding), len(documents))
                values[holding] += impacts(known, counts[holding], lengths[holding], lengths.mean(), self._settings)
        return values

    def _counts(self, content: str) -> Counts:
        """Kept, for candidates come again under other queries; not while a request is timed."""
        if not keeping():
            return self._counted(content)
        found = self._kept.get(content)
        if found is None:
            found = self._kept[content] = self._counted(content)
            self._bytes += _size(content, found)
            while self._bytes > KEPT and len(self._kept) > 1:
                self._bytes -= _size(*self._kept.popitem(last=False))
        else:
            self._kept.move_to_end(content)
        return found

    def _counted(self, content: str) -> Counts:
        terms = self._analysis(content)
        return Counter(terms), len(terms)


def _size(content: str, counts: Counts) -> int:
    return len(content) + PER_TERM * (1 + len(counts[0]))
