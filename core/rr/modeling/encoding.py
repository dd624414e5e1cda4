"""A frozen sentence encoder: texts in, vectors out, each distinct text encoded once and kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from torch import Tensor

from rr.artefacts import fingerprint, folder_fingerprint, home
from rr.errors import RerankError
from rr.keeping import keeping
from rr.modeling.device import pick_device
from rr.modeling.embeddings import EmbeddingStore
from rr.modeling.loading import quiet, whole_folder
from rr.modeling.packed_texts import packed_vectors, reads_packed
from rr.modeling.settings import TextModelSettings
from rr.modeling.source import model_path
from rr.types import Request

if TYPE_CHECKING:
    from rr.modeling.bge_m3 import BgeM3

VERSIONS = ("torch", "transformers", "tokenizers", "sentence-transformers")
"""What computes vectors besides our own code."""
SHORT_FROM = 2000
"""Characters from which the short way is worth laying out the weights for."""


class EncoderSettings(TextModelSettings):
    """The settings of every component that embeds texts."""

    library: Literal["sentence-transformers", "flagembedding"] = "sentence-transformers"
    """What embeds: sentence-transformers, any folder of its; flagembedding, BGE-M3 and its like by BGEM3FlagModel,
    which reads no modules.json, normalises, and does not pack texts."""
    pooling: Literal["model", "cls", "mean"] = "model"
    """What of the tokens' states a text's vector is made from; model: as the sentence-transformers folder says, or
    FlagEmbedding's own default, cls."""

    @property
    def flag_pooling(self) -> Literal["cls", "mean"]:
        return "cls" if self.pooling == "model" else self.pooling


class FrozenEncoder:
    """No gradient ever reaches it, and it stays in eval mode.

    `encoded`: how many texts it has really encoded, those that were kept from an earlier time left out. `in_all`: the
    same, for all encoders of this process.
    """

    in_all: ClassVar[int] = 0

    def __init__(self, settings: EncoderSettings) -> None:
        self.encoded = 0
        self._settings = settings
        self._flag: BgeM3 | None = None
        if settings.library == "flagembedding":
            from rr.modeling.bge_m3 import BgeM3  # takes seconds, which nobody else should pay

            self._flag = BgeM3(settings, settings.flag_pooling)
            self.module: Any = self._flag.module
            self.dimensions = int(self.module.config.hidden_size)
        else:
            self.module = _sentence_transformer(settings)
            self.dimensions = int(self.module.get_embedding_dimension())
        self.module.requires_grad_(False)
        self.module.eval()
        self._packed = self._flag is None and self.module.device.type == "cpu" and reads_packed(self.module)
        self._short = self._packed and reads_packed(self.module, short=True)
        self._store = EmbeddingStore(home() / "embeddings" / self._fingerprint(settings)[:32], self.dimensions)

    def _fingerprint(self, settings: EncoderSettings) -> str:
        """A hash of everything that determines a text's vector."""
        return fingerprint(
            {
                "weights": settings.weights(),
                "library": settings.library,
                "pooling": settings.pooling,
                "max_seq_length": settings.max_seq_length,
                "prompt": None if self._flag else self.module.prompts.get(self.module.default_prompt_name),
                "device": self.module.device.type,
                "packed": [self._packed, self._short],
                "versions": {name: version(name) for name in (*VERSIONS, *(["FlagEmbedding"] if self._flag else []))},
                "code": folder_fingerprint(Path(__file__).parent, "*.py"),
            }
        )

    def __call__(self, texts: Iterable[str]) -> Tensor:
        """Shape (texts, dimensions), float32, on the encoder's device."""
        wanted = list(texts)
        vectors = self._store.vectors(wanted, self._encode) if keeping() else self._anew(wanted)
        return vectors.to(self.module.device)

    def _anew(self, texts: list[str]) -> Tensor:
        """Each distinct text encoded now."""
        if not texts:
            return torch.empty(0, self.dimensions)
        distinct = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        return self._encode(list(distinct)).to(torch.float32)[[distinct[text] for text in texts]]

    def _encode(self, texts: list[str]) -> Tensor:
        self.encoded += len(texts)
        FrozenEncoder.in_all += len(texts)
        if self._flag:
            return torch.from_numpy(self._flag.encode(texts, "dense_vecs"))
        if self._packed:
            return packed_vectors(self.module, texts, self._short and sum(map(len, texts)) >= SHORT_FROM)
        return self.module.encode(  # type: ignore[no-any-return]
            texts, batch_size=self._settings.batch_size, convert_to_tensor=True, show_progress_bar=False
        )

    def as_sentence_transformer(self) -> Any:
        """A SentenceTransformer that embeds alike; the lengths of its vectors may differ."""
        if self._flag is None:
            return self.module
        with quiet():
            transformer = Transformer(
                self._flag.flag.model_name_or_path,
                max_seq_length=self._settings.max_seq_length,
                model_kwargs={"trust_remote_code": self._settings.trust_remote_code, "dtype": torch.float32},
            )
            pooling = Pooling(self.dimensions, self._settings.flag_pooling)
            return SentenceTransformer(modules=[transformer, pooling], device="cpu")


def _sentence_transformer(settings: EncoderSettings) -> Any:
    """A whole SentenceTransformer, pooling and cutting as the settings say."""
    with quiet():
        module: Any = SentenceTransformer(
            model_path(settings.model, settings.sha256),
            device=str(pick_device()),
            trust_remote_code=settings.trust_remote_code,
            model_kwargs={"use_safetensors": True, "dtype": torch.float32},
        )
    folder = whole_folder(settings.model, [getattr(part, "auto_model", part) for part in module])
    _set_pooling(module, settings, folder)
    if isinstance(module.max_seq_length, int):  # embeddings of words, without attention, have no limit
        module.max_seq_length = settings.max_seq_length
    return module


def _set_pooling(module: Any, settings: EncoderSettings, folder: Path) -> None:
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
    places = [place for place, part in enumerate(module) if isinstance(part, Pooling)]
    if not places:
        raise RerankError(f"model {settings.model!r} does not pool; remove pooling: {settings.pooling}")
    own = module[places[0]]
    module[places[0]] = Pooling(own.embedding_dimension, settings.pooling, include_prompt=own.include_prompt)


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
