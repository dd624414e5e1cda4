"""First stages of sequential recommendation, fitted on sequences of document ids, oldest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rr.errors import DataError
from rr.types import Document, Query

HISTORY = 10
"""How many of the newest items of a history item-kNN looks at."""


class Popularity:
    """The number of train interactions of each item, the same for every query."""

    def __init__(self, train: Sequence[Sequence[str]]) -> None:
        self._scores = {id_: float(count) for id_, count in _counts(train).items()}

    def scores(self, query: Query) -> dict[str, float]:
        return self._scores


class Markov:
    """A first-order Markov chain: how often the candidate came right after the history's last item (Rendle et al. 2010,
    the chain before it is factorised; the count orders as their maximum-likelihood estimate of p(candidate | last)).

    Added to it is count / (1 + the highest count) of the candidate's train interactions, which is below one transition:
    popularity orders what the transitions leave tied, and is the whole score where the last item never led anywhere."""

    def __init__(self, train: Sequence[Sequence[str]]) -> None:
        counts = _counts(train)
        whole = 1 + max(counts.values())
        self._popularity = {id_: count / whole for id_, count in counts.items()}
        self._followers: dict[str, Counter[str]] = {}
        for items in train:
            for last, following in pairwise(items):
                self._followers.setdefault(last, Counter())[following] += 1

    def scores(self, query: Query) -> dict[str, float]:
        if not query.history:
            raise _no_history(query, "markov")
        followers = self._followers.get(query.history[-1].id, Counter())
        return {id_: followers[id_] + share for id_, share in self._popularity.items()}


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
            raise _no_history(query, "item-knn")
        values = self._similarity[rows].sum(axis=0)
        return {id_: float(value) for id_, value in zip(self._ids, values, strict=True)}


def _counts(train: Sequence[Sequence[str]]) -> Counter[str]:
    return Counter(id_ for items in train for id_ in items)


def _no_history(query: Query, retriever: str) -> DataError:
    return DataError(
        f"query {query.id!r} has no history, which {retriever} needs; set candidates.retriever: bm25 or popularity"
    )
