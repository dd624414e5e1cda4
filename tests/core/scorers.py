"""Scorers whose answers are known, and requests for them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence

from rr.protocols import ModelInfo
from rr.types import Document, Query, Request, Scores


class ByGold:
    """A perfect scorer that takes `limit` candidates and counts how often it sees each."""

    def __init__(self, gold: Mapping[str, float], limit: int | None = None) -> None:
        self._gold, self._limit = gold, limit
        self.seen: Counter[tuple[str, str]] = Counter()
        self.calls = 0

    @property
    def info(self) -> ModelInfo:
        return ModelInfo("logit", listwise=True, max_candidates=self._limit, notes=("perfect",))

    def score(self, requests: Sequence[Request]) -> list[Scores]:
        self.calls += 1
        assert requests
        for request in requests:
            assert request.candidates
            assert self._limit is None or len(request.candidates) <= self._limit
            self.seen.update((request.query.id, document.id) for document in request.candidates)
        return [
            Scores(
                tuple(self._gold[document.id] for document in request.candidates), {"length": len(request.candidates)}
            )
            for request in requests
        ]


def request_of(count: int, query_id: str = "q", first_stage: Sequence[float] | None = None) -> Request:
    documents = tuple(Document(f"d{place}", f"văn bản {place}") for place in range(count))
    return Request(Query(query_id, "câu hỏi"), documents, None if first_stage is None else tuple(first_stage))


def gold_of(count: int, seed: int) -> dict[str, float]:
    values = list(range(count))
    random.Random(seed).shuffle(values)
    return {f"d{place}": float(value) for place, value in enumerate(values)}


def best_first(gold: Mapping[str, float]) -> list[str]:
    return sorted(gold, key=lambda id_: -gold[id_])


class PrefersTheFirst(ByGold):
    """As `ByGold`, but whoever is shown first gets `strength` more."""

    def __init__(self, gold: Mapping[str, float], strength: float, limit: int | None = None) -> None:
        super().__init__(gold, limit)
        self._strength = strength

    def score(self, requests: Sequence[Request]) -> list[Scores]:
        return [
            Scores((answer.values[0] + self._strength, *answer.values[1:]), answer.diagnostics)
            for answer in super().score(requests)
        ]
