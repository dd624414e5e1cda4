"""The projection head as a Scorer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from rr import ModelInfo, Request, Scores, State
from rr_head.export import export_model
from rr_head.model import make_head
from rr_head.settings import HeadSettings
from rr_torch import FrozenEncoder, Role, cosine_scores, parameter_counts


class HeadScorer:
    """Scores are cosines of projected query and document. Diagnostics: `truncated`, as of the bi-encoder."""

    Settings = HeadSettings

    def __init__(self, settings: HeadSettings, checkpoint: Path | None = None) -> None:
        self._encoder = FrozenEncoder(settings)
        head = make_head(settings, self._encoder.dimensions, checkpoint, self._encoder.prompts)
        self._head = head.to(self._encoder.module.device)
        self._state: State = "trained" if checkpoint else "untrained"

    @classmethod
    def of(cls, encoder: FrozenEncoder, head: torch.nn.Linear) -> HeadScorer:
        """A scorer around a head that is being trained."""
        scorer = cls.__new__(cls)
        scorer._encoder, scorer._head, scorer._state = encoder, head, "trained"
        return scorer

    @property
    def info(self) -> ModelInfo:
        frozen, _ = parameter_counts(self._encoder.module)
        own, _ = parameter_counts(self._head)
        notes = () if self._state == "trained" else ("random head",)
        return ModelInfo("cosine", state=self._state, parameters=frozen + own, trainable=own, notes=notes)

    def score(self, requests: Sequence[Request]) -> list[Scores]:
        return cosine_scores(requests, self.embed, self._encoder)

    def embed(self, texts: Iterable[str], role: Role = "document") -> Tensor:
        """Projections, shape (texts, dimensions), not normalised."""
        return self._head(self._encoder(texts, role))  # type: ignore[no-any-return]

    def export(self, out: Path) -> None:
        """Fills the folder `out` with a sentence-transformers model that embeds as this scorer does."""
        export_model(self._encoder.as_sentence_transformer(), self._head, out)
