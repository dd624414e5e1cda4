"""The cross-encoder as a Scorer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rr import ModelInfo, Request, Scores
from rr.modeling.device import parameter_counts
from rr.types import State
from rr_cross_encoder.model import CrossEncoderSettings, PairModel


class CrossEncoderScorer:
    """Scores are logits. Diagnostics: `truncated`, the share of a query's documents that were cut."""

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
        total, trainable = parameter_counts(self._pairs.model)
        parts = sorted({name.rpartition(".")[0] for name in self._pairs.untrained})
        notes = (f"random {', '.join(parts)}",) if parts else ()
        return ModelInfo("logit", state=self._state, parameters=total, trainable=trainable, notes=notes)

    def score(self, requests: Sequence[Request]) -> list[Scores]:
        pairs = [(r.query.text, document.content) for r in requests for document in r.candidates]
        encoded, cut = self._pairs.encode(pairs)
        values = self._pairs.score(encoded)
        answers, start = [], 0
        for request in requests:
            span = slice(start, start := start + len(request.candidates))
            truncated = sum(cut[span]) / len(request.candidates)
            answers.append(Scores(tuple(values[span]), {"truncated": truncated}))
        return answers
