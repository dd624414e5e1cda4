"""First stages of sequential recommendation, fitted on the sequences of the train queries: ids of documents, oldest
first, the target last; and the run that a source brings along."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rr import Corpus, DataError, Query, Settings

HISTORY = 10
"""How many of the newest items of a history item-kNN looks at."""


class Popularity:
    """The number of train interactions of each item, the same for every query."""

    learns = True

    def __init__(self, settings: Settings) -> None:
        """There is nothing to set."""

    def fit(self, corpus: Corpus) -> None:
        self._scores = {id_: float(count) for id_, count in _counts(_sequences(corpus, "popularity")).items()}

    def scores(self, query: Query) -> dict[str, float]:
        return self._scores


class Markov:
    """A first-order Markov chain: how often the candidate came right after the history's last item (Rendle et al. 2010,
    the chain before it is factorised; the count orders as their maximum-likelihood estimate of p(candidate | last)).

    Added to it is count / (1 + the highest count) of the candidate's train interactions, which is below one transition:
    popularity orders what the transitions leave tied, and is the whole score where the last item never led anywhere."""

    learns = True

    def __init__(self, settings: Settings) -> None:
        """There is nothing to set."""

    def fit(self, corpus: Corpus) -> None:
        train = _sequences(corpus, "markov")
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

    learns = True

    def __init__(self, settings: Settings) -> None:
        """There is nothing to set."""

    def fit(self, corpus: Corpus) -> None:
        train = _sequences(corpus, "item-knn")
        self._ids = [document.id for document in corpus.documents]
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


class GivenRun:
    """The run that the source brought along."""

    learns = False

    def __init__(self, settings: Settings) -> None:
        """There is nothing to set."""

    def fit(self, corpus: Corpus) -> None:
        if not corpus.run:
            raise DataError("candidates.retriever is 'run', but this source has no run; give one, or use bm25")
        self._run = corpus.run

    def scores(self, query: Query) -> Mapping[str, float]:
        return self._run.get(query.id, {})


def _sequences(corpus: Corpus, retriever: str) -> list[list[str]]:
    """Each train query's history with its target: nothing of dev and test is counted."""
    if not corpus.train:
        raise DataError(f"{retriever} is fitted on train queries, and there are none; set candidates.retriever: bm25")
    return [[document.id for document in query.history] + list(relevant) for query, relevant in corpus.train]


def _counts(train: Sequence[Sequence[str]]) -> Counter[str]:
    return Counter(id_ for items in train for id_ in items)


def _no_history(query: Query, retriever: str) -> DataError:
    return DataError(
        f"query {query.id!r} has no history, which {retriever} needs; set candidates.retriever: bm25 or popularity"
    )
