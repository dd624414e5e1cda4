"""BM25 as a reranker."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import rr
from rr import ModelInfo, Request
from rr.data.retrieve import Bm25


class Bm25Scorer:
    """BM25 whose collection is the request's own candidates: document frequencies and lengths are theirs, which is
    all that a reranker is given. (Over the whole corpus it is the first stage.)"""

    info = ModelInfo("rank", listwise=True)

    class Settings(rr.Settings):
        fold_accents: bool = False
        """Ignore tone marks, for queries that are typed without them."""

    def __init__(self, settings: Settings, checkpoint: Path | None = None) -> None:
        self._fold = settings.fold_accents

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        return [self._score(request) for request in requests]

    def _score(self, request: Request) -> list[float]:
        found = Bm25(request.candidates, self._fold).scores(request.query)
        return [found.get(document.id, 0.0) for document in request.candidates]
