"""Rerankers that look at no text."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import rr
from rr import ModelInfo, NotApplicableError, Ranking, Request


class FirstStage:
    """The order in which the candidates were retrieved: what a reranker has to beat."""

    info = ModelInfo("rank")

    def __init__(self, settings: rr.Settings, checkpoint: Path | None = None) -> None:
        pass

    def rerank(self, requests: Sequence[Request]) -> list[Ranking]:
        return [self._rank(request) for request in requests]

    def _rank(self, request: Request) -> Ranking:
        if request.first_stage is None:
            raise NotApplicableError(
                "no first stage's order is shown here (protocol oracle shows none: it tells the answer; given has none)"
            )
        return Ranking.from_scores(request, request.first_stage)


class Random:
    """A seeded random order, the same for the same query whatever else is ranked: chance on this very data."""

    info = ModelInfo("rank")

    class Settings(rr.Settings):
        seed: int = 0
        """Another seed is another order."""

    def __init__(self, settings: Settings, checkpoint: Path | None = None) -> None:
        self._seed = settings.seed

    def rerank(self, requests: Sequence[Request]) -> list[Ranking]:
        return [self._rank(request) for request in requests]

    def _rank(self, request: Request) -> Ranking:
        generator = random.Random(f"{self._seed} {request.query.id}")
        drawn = {id_: generator.random() for id_ in sorted(document.id for document in request.candidates)}
        return Ranking.from_scores(request, [drawn[document.id] for document in request.candidates])
