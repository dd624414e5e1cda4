"""A loaded reranker as it is served: what it answers, and what is said of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rr.files.kept import KEEPING
from rr.protocols import ModelInfo
from rr.types import Document, Query, Ranking, Request
from rr_bench.api import NamedReranker
from rr_bench.calibrate.kept import Calibration
from rr_bench.evaluate.price import estimated_tokens
from rr_bench.serve.scale import SAYS, Told, relevance, told_as

Load = Callable[[], NamedReranker]
"""Loads a reranker, anew each time."""
WARM_UP = Request(Query("query", "is it warm?"), (Document("0", "It is warm."), Document("1", "It was cold.")))


@dataclass(frozen=True, slots=True)
class Row:
    """A document of an answer: its place among those that were asked about, what is told, and the model's own score."""

    index: int
    relevance: float
    raw: float


@dataclass(frozen=True, slots=True)
class Answer:
    """Best first. `raw_scale`: what the model's own scores mean. `tokens`: as it counted them, or an estimate
    (`estimated`); `truncated`: the share of the documents that it has cut."""

    rows: tuple[Row, ...]
    scale: Told
    raw_scale: str
    tokens: int
    estimated: bool
    truncated: float


@dataclass(frozen=True)
class Model:
    """`calibration` and `fingerprint` are read when it is made: a damaged one is found before anything is served."""

    reranker: NamedReranker
    calibration: Calibration | None
    fingerprint: str
    loaded: float = field(default_factory=time.time)

    @classmethod
    def of(cls, load: Load) -> Model:
        """It is asked once, so that the first client does not wait for what models put off until then.

        Raises:
            RerankError: it cannot be loaded, or cannot answer, or its calibration is damaged or of other weights.
        """
        reranker = load()
        found = cls(reranker, reranker.calibration, reranker.fingerprint())
        found.answer(WARM_UP, found.rankings([WARM_UP])[0])
        return found

    @property
    def name(self) -> str:
        return self.reranker.name

    @property
    def info(self) -> ModelInfo:
        return self.reranker.info

    def rankings(self, requests: Sequence[Request]) -> Sequence[Ranking]:
        """As `NamedReranker.rerank_all`; what clients send is written nowhere."""
        before = KEEPING.set(False)
        try:
            return self.reranker.rerank_all(requests)
        finally:
            KEEPING.reset(before)

    def tokens(self, request: Request) -> int:
        """About so many it would read: 4 bytes of UTF-8 each, the query once a document where they are looked at
        apart."""
        return round(estimated_tokens([request], self.info.listwise))

    def answer(self, request: Request, ranking: Ranking) -> Answer:
        """
        Raises:
            ScoringError: a score is no number.
        """
        scale, told = relevance(ranking, self.info, self.calibration)
        rows = (
            Row(int(item.document.id), one, float(item.score)) for item, one in zip(ranking.items, told, strict=True)
        )
        counted = ranking.diagnostics.get("tokens")
        return Answer(
            tuple(rows),
            scale,
            "rank" if scale == "rank" else self.info.scale,
            round(counted) if counted is not None else self.tokens(request),
            counted is None,
            float(ranking.diagnostics.get("truncated", 0.0)),
        )

    def described(self) -> dict[str, Any]:
        """As `/v1/models` lists it."""
        info, scale, checkpoint = self.info, told_as(self.info, self.calibration), self.reranker.checkpoint
        return {
            "id": self.name,
            "object": "model",
            "created": int(self.loaded),
            "owned_by": "rerank-registry",
            "fingerprint": self.fingerprint,
            "checkpoint": checkpoint.folder.absolute().name if checkpoint is not None else None,
            "score_scale": scale,
            "score_says": SAYS[scale],
            "calibrated_on": self.calibration.data.get("name") if self.calibration is not None else None,
            "raw_scale": info.scale,
            "listwise": info.listwise,
            "max_candidates": info.max_candidates,
            "precision": info.precision,
            "state": info.state,
        }
