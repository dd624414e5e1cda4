"""Whether the judgements fit the texts, the first stage and the histories: the AUC of simple scores, split by split.
Where labels are swapped or permuted it is about .5 or below, and well above it where they are not."""

from __future__ import annotations

import math
import random
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean

import numpy as np

from rr.types import Dataset
from rr_bench.data.texts import words

QUERIES = 500
"""That are looked at a split, drawn with a fixed seed."""
NEWEST = 50
"""Items of a history that are looked at."""

Drawn = Mapping[str, Sequence[str]]
"""Split → queries with relevant and other candidates."""
Scoring = Callable[[str], Sequence[float]]
"""Query id → one score a candidate, in their order."""


def drawn_queries(dataset: Dataset, places: Mapping[str, Sequence[int]]) -> dict[str, list[str]]:
    """`places`: query id → those of its relevant candidates."""
    drawn = {}
    for split, queries in dataset.splits.items():
        both = [q for q in queries if 0 < len(places[q]) < len(dataset.candidates[q])]
        if both:
            drawn[split] = random.Random(f"report {split}").sample(both, min(QUERIES, len(both)))
    return drawn


def mean_auc(drawn: Drawn, places: Mapping[str, Sequence[int]], scoring: Scoring) -> dict[str, float]:
    """Split → the mean over its queries of how often a relevant candidate scores above another; ties count half."""
    return {split: fmean(_auc(scoring(q), places[q]) for q in queries) for split, queries in drawn.items()}


def _auc(scores: Sequence[float], relevant: Sequence[int]) -> float:
    positive = set(relevant)
    others = sorted(score for place, score in enumerate(scores) if place not in positive)
    above = sum(bisect_left(others, scores[p]) + bisect_right(others, scores[p]) for p in positive)
    return above / (2 * len(positive) * len(others))


class SharedWords:
    """Of the words that query and document share, the summed inverse document frequencies. Documents are shown to it by
    `add`, one by one; it keeps no more of them than the drawn queries need."""

    def __init__(self, dataset: Dataset, drawn: Drawn) -> None:
        self._candidates = dataset.candidates
        self._asked = {q: frozenset(words(dataset.queries[q].text)) for queries in drawn.values() for q in queries}
        self._vocabulary = frozenset().union(*self._asked.values())
        self._needed = {id_ for q in self._asked for id_ in dataset.candidates[q]}
        self._held: dict[str, frozenset[str]] = {}
        self._having = Counter[str]()
        self._documents = 0

    def add(self, document_id: str, found: Iterable[str]) -> None:
        """`found`: the words of the document."""
        shared = self._vocabulary.intersection(found)
        self._having.update(shared)
        self._documents += 1
        if document_id in self._needed:
            self._held[document_id] = shared

    def scores(self, query_id: str) -> list[float]:
        weights = {word: math.log1p(self._documents / (1 + self._having[word])) for word in self._asked[query_id]}
        held = (self._held.get(id_, frozenset()) for id_ in self._candidates[query_id])
        # in one order, or equal sums would differ in the last digit
        return [math.fsum(weights[word] for word in weights.keys() & shared) for shared in held]


class MetTogether:
    """How often a candidate stands with the history's newest items in the histories and targets of train, those of the
    query's own group left out. `relevant`: query id → judged relevant."""

    def __init__(self, dataset: Dataset, relevant: Mapping[str, set[str]]) -> None:
        self._dataset = dataset
        learned = dataset.splits.get("train", ())
        places: dict[str, list[int]] = {}
        groups: dict[str, list[int]] = {}
        for number, query_id in enumerate(learned):
            groups.setdefault(self._group(query_id), []).append(number)
            for id_ in {*(item.id for item in dataset.queries[query_id].history), *relevant[query_id]}:
                places.setdefault(id_, []).append(number)
        self._places = {id_: np.array(numbers) for id_, numbers in places.items()}
        self._groups, self._learned, self._none = groups, len(learned), np.array([], dtype=int)

    def scores(self, query_id: str) -> list[float]:
        newest = {item.id for item in self._dataset.queries[query_id].history[-NEWEST:]}
        met = [self._places.get(id_, self._none) for id_ in newest]
        shared = np.bincount(np.concatenate([self._none, *met]), minlength=self._learned)
        shared[self._groups.get(self._group(query_id), [])] = 0
        candidates = self._dataset.candidates[query_id]
        return [float(shared[self._places.get(id_, self._none)].sum()) for id_ in candidates]

    def _group(self, query_id: str) -> str:
        return self._dataset.groups.get(query_id, f"query {query_id}")
