"""The cross-encoder as a Scorer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from rr import ModelInfo, Request, Scores
from rr.types import State
from rr_cross_encoder.model import CrossEncoderSettings, PairModel


class CrossEncoderScorer:
    """Scores are logits or their sigmoids. Diagnostics: `truncated`, the share of a query's documents that were cut."""

    Settings = CrossEncoderSettings

    def __init__(self, settings: CrossEncoderSettings, checkpoint: Path | None = None) -> None:
        self._pairs = PairModel(settings, checkpoint)
        self._state: State = "trained" if checkpoint else "untrained" if self._pairs.untrained else "pretrained"

    @classmethod
    def of(cls, pairs: PairModel) -> CrossEncoderScorer:
        """A scorer around a model that is being trained."""
        scorer = cls.__new__(cls)
        scorer._pairs, scorer._state = pairs, "trained"
        return scorer

    @property
    def info(self) -> ModelInfo:
        pairs, settings = self._pairs, self._pairs.settings
        parts = sorted({name.rpartition(".")[0] for name in pairs.untrained})
        notes = [f"random {', '.join(parts)}"] if parts else []
        notes += [name for name in (settings.backend, settings.quantization) if name not in ("torch", "none")]
        return ModelInfo(
            settings.scale,
            state=self._state,
            parameters=pairs.parameters,
            trainable=pairs.trainable,
            notes=tuple(notes),
            precision=pairs.precision,
        )

    def score(self, requests: Sequence[Request]) -> list[Scores]:
        pairs = [(r.query.text, document.content) for r in requests for document in r.candidates]
        encoded, cut = self._pairs.encode(pairs)
        values = self._pairs.score(encoded)
        if self._pairs.settings.scale == "probability":
            values = [sigmoid(value) for value in values]
        return by_request(requests, values, cut)


def by_request(requests: Sequence[Request], values: Sequence[float], cut: Sequence[bool]) -> list[Scores]:
    """The answers: `values` and `cut` have a place for each pair of the requests, one request behind the other."""
    answers, start = [], 0
    for request in requests:
        span = slice(start, start := start + len(request.candidates))
        truncated = sum(cut[span]) / len(request.candidates)
        answers.append(Scores(tuple(values[span]), {"truncated": truncated}))
    return answers


def sigmoid(logit: float) -> float:
    """In 64 bits, so that logits below 20 that differ as 32-bit numbers stay different."""
    return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))
