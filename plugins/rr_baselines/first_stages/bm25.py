"""BM25 over the whole corpus."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from rr import Corpus, Query
from rr_baselines.first_stages.best import with_ties
from rr_baselines.first_stages.postings import Postings
from rr_baselines.lucene import impacts, rarity
from rr_baselines.settings import Bm25Settings
from rr_baselines.text import Analysis

LARGE = 200_000
"""Documents from which on the terms that are asked about are indexed, for each search anew, and no others."""
KEPT = 1 << 27
"""Bytes of the terms whose impacts are kept from query to query."""


class Bm25:
    """BM25 in Lucene's variant. Of a large corpus nothing is held but the documents' ids and lengths, and the postings
    of the words asked for: each search goes through it once, and each `scores`."""

    Settings = Bm25Settings
    learns = False

    def __init__(self, settings: Bm25Settings) -> None:
        self._settings = settings
        self._analysis = Analysis(settings)

    def fit(self, corpus: Corpus) -> None:
        self._documents = corpus.documents
        large = len(corpus.documents) > LARGE
        self._index = None if large else _Index(Postings(corpus.documents, self._analysis), self._settings)

    def scores(self, query: Query) -> dict[str, float]:
        asked = self._analysis(query.text)
        return self._indexed(asked).found(asked, None)

    def search(self, queries: Sequence[Query], depth: int) -> Iterable[dict[str, float]]:
        asked = [self._analysis(query.text) for query in queries]
        index = self._indexed(term for terms in asked for term in terms)
        for terms in asked:
            yield index.found(terms, depth)

    def _indexed(self, terms: Iterable[str]) -> _Index:
        if self._index is not None:
            return self._index
        return _Index(Postings(self._documents, self._analysis, dict.fromkeys(terms)), self._settings)


class _Index:
    """What a query's terms find."""

    def __init__(self, postings: Postings, settings: Bm25Settings) -> None:
        self._postings, self._settings = postings, settings
        self._average = float(postings.lengths.mean()) if len(postings.lengths) else 0.0
        self._kept: OrderedDict[int, tuple[NDArray[np.uint32], NDArray[np.float32]]] = OrderedDict()
        self._bytes = 0

    def found(self, terms: Sequence[str], depth: int | None) -> dict[str, float]:
        """Document id → score: the best `depth` and their ties, or all that hold a term."""
        postings = self._postings
        values = np.zeros(len(postings.lengths), np.float32)
        for number in (postings.terms[term] for term in terms if term in postings.terms):
            rows, added = self._impacts(number)
            values[rows] += added
        held = np.flatnonzero(values > 0)
        if depth is not None:
            held = held[with_ties(values[held], depth)]
        return {postings.ids[row]: value for row, value in zip(held.tolist(), values[held].tolist(), strict=True)}

    def _impacts(self, number: int) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
        """The documents that hold a term, and what it adds to their scores."""
        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        postings = self._postings[number]
        rows, lengths = postings[:, 0].copy(), self._postings.lengths
        known = rarity(len(rows), len(lengths))
        found = rows, impacts(known, postings[:, 1].astype(np.float64), lengths[rows], self._average, self._settings)
        self._kept[number] = found
        self._bytes += 8 * len(rows)
        while self._bytes > KEPT and len(self._kept) > 1:
            _, (gone, _) = self._kept.popitem(last=False)
            self._bytes -= 8 * len(gone)
        return found
