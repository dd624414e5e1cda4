"""The cross-encoder as a Scorer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from rr import ModelInfo, Request, Scale, Scores, State
from rr_cross_encoder.model import PairModel
from rr_cross_encoder.settings import CrossEncoderSettings


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
        return by_request(requests, self._pairs.score(encoded), cut, self._pairs.settings.scale)


def by_request(requests: Sequence[Request], logits: Sequence[float], cut: Sequence[bool], scale: Scale) -> list[Scores]:
    """The answers: `logits` and `cut` have a place for each pair of the requests, one request behind the other.
    Probabilities are ranked by their logits, since those above 17 are all 1 in 32 bits."""
    answers, start = [], 0
    for request in requests:
        span = slice(start, start := start + len(request.candidates))
        values, diagnostics = tuple(logits[span]), {"truncated": sum(cut[span]) / len(request.candidates)}
        if scale == "probability":
            answers.append(Scores(tuple(map(sigmoid, values)), diagnostics, ranked_by=values))
        else:
            answers.append(Scores(values, diagnostics))
    return answers


def sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))
