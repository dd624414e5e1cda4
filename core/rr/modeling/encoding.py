"""A frozen sentence encoder: texts in, vectors out, each distinct text encoded once and kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling
from torch import Tensor

from rr.artefacts import fingerprint, folder_fingerprint, home
from rr.errors import RerankError
from rr.modeling.device import pick_device
from rr.modeling.embeddings import EmbeddingStore
from rr.modeling.loading import quiet, weights_not_in
from rr.modeling.packed_texts import packed_vectors, reads_packed
from rr.modeling.source import model_path, weights_fingerprint, weights_folder
from rr.protocols import Settings
from rr.types import Request

VERSIONS = ("torch", "transformers", "tokenizers", "sentence-transformers")
"""What computes vectors besides our own code."""
SHORT_FROM = 2000
"""Characters from which the short way is worth laying out the weights for."""


class EncoderSettings(Settings):
    """The settings of every component that embeds texts with a sentence-transformers model."""

    model: str
    """A sentence-transformers folder, `package:NAME/FOLDER` inside an installed package, or a hub name."""
    sha256: str | None = None
    """What model.safetensors must hash to; None: not verified."""
    pooling: Literal["model", "cls", "mean"] = "model"
    """What of the tokens' states a text's vector is made from; model: as the sentence-transformers folder says."""
    max_seq_length: int = Field(256, gt=0)
    """Tokens a text is cut to."""
    batch_size: int = Field(64, gt=0)
    """Texts a forward pass takes where they are padded: on a GPU, and with models that cannot be packed."""
    trust_remote_code: bool = False

    def weights(self) -> str:
        return weights_fingerprint(self.model)


class FrozenEncoder:
    """No gradient ever reaches it, and it stays in eval mode.

    `encoded`: how many texts it has really encoded, those that were kept from an earlier time left out. `in_all`: the
    same, for all encoders of this process.
    """

    in_all: ClassVar[int] = 0

    def __init__(self, settings: EncoderSettings) -> None:
        with quiet():
            self.module: Any = SentenceTransformer(
                model_path(settings.model, settings.sha256),
                device=str(pick_device()),
                trust_remote_code=settings.trust_remote_code,
                model_kwargs={"use_safetensors": True, "dtype": torch.float32},
            )
        folder = self._checked_folder(settings)
        self._set_pooling(settings, folder)
        if isinstance(self.module.max_seq_length, int):  # embeddings of words, without attention, have no limit
            self.module.max_seq_length = settings.max_seq_length
        self.module.requires_grad_(False)
        self.module.eval()
        self.dimensions = int(self.module.get_embedding_dimension())
        self.encoded = 0
        self._batch_size = settings.batch_size
        self._packed = self.module.device.type == "cpu" and reads_packed(self.module)
        self._short = self._packed and reads_packed(self.module, short=True)
        self._store = EmbeddingStore(home() / "embeddings" / self._fingerprint(settings)[:32], self.dimensions)

    def _checked_folder(self, settings: EncoderSettings) -> Path:
        """The folder with the model's files.

        Raises:
            RerankError: some weights that the vectors depend on are not in them.
        """
        folder = weights_folder(settings.model)
        if folder is None:
            raise RerankError(f"model {settings.model!r}: its files cannot be found to check that they are whole")
        modules = [getattr(module, "auto_model", module) for module in self.module]
        # a pooler is no part of CLS or mean pooling; models are often published without it
        missing = [name for module in modules for name in weights_not_in(folder, module) if "pooler" not in name]
        if missing:
            raise RerankError(
                f"model {settings.model!r} lacks weights (in safetensors files): {', '.join(missing[:5])}; "
                "get a whole copy of it"
            )
        return folder

    def _set_pooling(self, settings: EncoderSettings, folder: Path) -> None:
        """
        Raises:
            RerankError: nothing says how the model pools, or it does not pool at all.
        """
        if settings.pooling == "model":
            if not (folder / "modules.json").is_file():
                raise RerankError(
                    f"model {settings.model!r} does not say how its states become a vector (it has no modules.json); "
                    "set pooling: cls or pooling: mean"
                )
            return
        places = [place for place, module in enumerate(self.module) if isinstance(module, Pooling)]
        if not places:
            raise RerankError(f"model {settings.model!r} does not pool; remove pooling: {settings.pooling}")
        own = self.module[places[0]]
        self.module[places[0]] = Pooling(own.embedding_dimension, settings.pooling, include_prompt=own.include_prompt)

    def _fingerprint(self, settings: EncoderSettings) -> str:
        """A hash of everything that determines a text's vector."""
        return fingerprint(
            {
                "weights": settings.weights(),
                "pooling": settings.pooling,
                "max_seq_length": settings.max_seq_length,
                "prompt": self.module.prompts.get(self.module.default_prompt_name),
                "device": self.module.device.type,
                "packed": [self._packed, self._short],
                "versions": {name: version(name) for name in VERSIONS},
                "code": folder_fingerprint(Path(__file__).parent, "*.py"),
            }
        )

    def __call__(self, texts: Iterable[str]) -> Tensor:
        """Shape (texts, dimensions), float32, on the encoder's device."""
        return self._store.vectors(list(texts), self._encode).to(self.module.device)

    def _encode(self, texts: list[str]) -> Tensor:
        self.encoded += len(texts)
        FrozenEncoder.in_all += len(texts)
        if self._packed:
            return packed_vectors(self.module, texts, self._short and sum(map(len, texts)) >= SHORT_FROM)
        return self.module.encode(  # type: ignore[no-any-return]
            texts, batch_size=self._batch_size, convert_to_tensor=True, show_progress_bar=False
        )


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
