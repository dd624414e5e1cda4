"""The cross-encoder as a Scorer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rr import ModelInfo, Request, Scores, State
from rr_cross_encoder.model import PairModel
from rr_cross_encoder.settings import CrossEncoderSettings
from rr_torch import by_request


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

    def export(self, out: Path) -> None:
        """Fills the folder `out` with what `CrossEncoder(out)` scores with as this scorer does, at its length. Raises
        RerankError: something else computes in the model's place."""
        self._pairs.save(out)
