"""A frozen sentence encoder: texts in, vectors out, each distinct text encoded once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from pydantic import Field
from sentence_transformers import SentenceTransformer
from torch import Tensor

from rr.errors import RerankError
from rr.modeling.device import pick_device
from rr.modeling.loading import quiet, weights_not_in
from rr.modeling.source import model_path, weights_fingerprint, weights_folder
from rr.protocols import Settings
from rr.types import Request


class EncoderSettings(Settings):
    """The settings of every component that embeds texts with a sentence-transformers model."""

    model: str
    """A sentence-transformers folder, `package:NAME/FOLDER` inside an installed package, or a hub name."""
    sha256: str | None = None
    """What model.safetensors must hash to; None: not verified."""
    max_seq_length: int = Field(256, gt=0)
    """Tokens a text is cut to."""
    batch_size: int = Field(64, gt=0)
    trust_remote_code: bool = False

    def weights(self) -> str:
        return weights_fingerprint(self.model)


class FrozenEncoder:
    """No gradient ever reaches it, and it stays in eval mode."""

    def __init__(self, settings: EncoderSettings) -> None:
        with quiet():
            self.module: Any = SentenceTransformer(
                model_path(settings.model, settings.sha256),
                device=str(pick_device()),
                trust_remote_code=settings.trust_remote_code,
                model_kwargs={"use_safetensors": True},
            )
        self._check_weights(settings)
        self.module.max_seq_length = settings.max_seq_length
        self.module.requires_grad_(False)
        self.module.eval()
        self.dimensions = int(self.module.get_embedding_dimension())
        self._batch_size = settings.batch_size
        self._known: dict[str, Tensor] = {}

    def _check_weights(self, settings: EncoderSettings) -> None:
        """
        Raises:
            RerankError: some weights that the vectors depend on are not in the model's files.
        """
        folder = weights_folder(settings.model)
        if folder is None:
            raise RerankError(f"model {settings.model!r}: its files cannot be found to check that they are whole")
        # a pooler is no part of CLS or mean pooling; models are often published without it
        missing = [name for name in weights_not_in(folder, self.module[0].auto_model) if "pooler" not in name]
        if missing:
            raise RerankError(
                f"model {settings.model!r} lacks weights: {', '.join(missing[:5])}; get a whole copy of it"
            )

    def __call__(self, texts: Iterable[str]) -> Tensor:
        """Shape (texts, dimensions), float32, on the encoder's device."""
        texts = list(texts)
        new = sorted({text for text in texts if text not in self._known})
        if new:
            vectors = self.module.encode(
                new, batch_size=self._batch_size, convert_to_tensor=True, show_progress_bar=False
            )
            # a copy, since tensors made in inference mode cannot take part in training
            self._known.update(zip(new, vectors.to(torch.float32, copy=True), strict=True))
        return torch.stack([self._known[text] for text in texts])


@torch.no_grad()
def cosine_scores(requests: Sequence[Request], embed: Callable[[Iterable[str]], Tensor]) -> list[list[float]]:
    """For each request the cosine of its query with each candidate; `embed` gives (texts, d), of any length."""
    texts = [text for r in requests for text in (r.query.text, *(d.content for d in r.candidates))]
    vectors = torch.nn.functional.normalize(embed(texts), dim=-1)
    answers, start = [], 0
    for request in requests:
        end = start + 1 + len(request.candidates)
        # not a matrix product, whose last bit depends on the row: equal texts must get equal scores
        answers.append((vectors[start + 1 : end] * vectors[start]).sum(dim=1).tolist())
        start = end
    return answers
