"""Any sentence-transformers bi-encoder, as it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rr import ModelInfo, Request, Scores
from rr_torch import EncoderSettings, FrozenEncoder, cosine_scores, parameter_counts


class BiEncoderScorer:
    """Cosine of the sentence embeddings of query and document."""

    Settings = EncoderSettings

    def __init__(self, settings: EncoderSettings, checkpoint: Path | None = None) -> None:
        self._encoder = FrozenEncoder(settings)

    @property
    def info(self) -> ModelInfo:
        return ModelInfo("cosine", state="pretrained", parameters=parameter_counts(self._encoder.module)[0])

    def score(self, requests: Sequence[Request]) -> list[Scores]:
        return cosine_scores(requests, self._encoder, self._encoder)
