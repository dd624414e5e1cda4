"""One scorer for both of the library's classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rr import ModelInfo, Request, Scores
from rr_sentence_transformers.bi import Bi
from rr_sentence_transformers.cross import Cross
from rr_sentence_transformers.files import kind_of
from rr_sentence_transformers.loading import source_of
from rr_sentence_transformers.settings import SentenceTransformersSettings


class SentenceTransformersScorer:
    """Scores are logits or probabilities of a cross-encoder, cosines of a bi-encoder. Diagnostics: `truncated`, the
    share of a query's documents (of a cross-encoder: pairs) that were cut."""

    Settings = SentenceTransformersSettings

    def __init__(self, settings: SentenceTransformersSettings, checkpoint: Path | None = None) -> None:
        kind = settings.kind
        if kind == "auto":
            kind = kind_of(source_of(settings, checkpoint), settings.revision)
        self._model: Cross | Bi = (Cross if kind == "cross_encoder" else Bi)(settings, checkpoint)

    @property
    def info(self) -> ModelInfo:
        return self._model.info

    def score(self, requests: Sequence[Request]) -> list[Scores]:
        return self._model.score(requests)
