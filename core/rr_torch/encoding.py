"""A frozen sentence encoder: texts in, vectors out, each distinct text encoded once and kept on disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, get_args
from unicodedata import normalize

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Router, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from torch import Tensor
from transformers import PreTrainedModel

from rr.errors import RerankError
from rr.files import device_name, fingerprint, folder_fingerprint, home, keeping
from rr.types import Request, Scores
from rr_torch.device import pick_device
from rr_torch.embeddings import EmbeddingStore, Encode
from rr_torch.loading import check_finite, check_length, check_safetensors, quiet, whole_folder
from rr_torch.packed_texts import PROBE, packed_vectors, reads_packed
from rr_torch.padding import settle_padding
from rr_torch.roles import Embed, Role, encode_as, prompt_of, reads_apart, set_prompts
from rr_torch.settings import EncoderSettings
from rr_torch.source import fetching, model_path
from rr_torch.trust import runs_code

if TYPE_CHECKING:
    from rr_torch.bge_m3 import BgeM3

VERSIONS = ("torch", "transformers", "tokenizers", "sentence-transformers")
"""What computes vectors besides our own code."""
AROUND = 8
"""Tokens that a tokenizer puts around a text, at the most."""
SHORT_FROM = 2000
"""Characters from which the short way is worth laying out the weights for."""


@dataclass(frozen=True)
class _Reading:
    """How texts of a role are encoded, and where their vectors are kept. Roles with equal readings share one."""

    prompt: str
    packed: bool
    short: bool
    key: str
    store: EmbeddingStore


class FrozenEncoder:
    """No gradient ever reaches it, and it stays in eval mode.

    `encoded`: how many texts it has really encoded, those that were kept from an earlier time left out. `in_all`: the
    same, for all encoders of this process. `prompts`: what is put before a text of each role.
    """

    in_all: ClassVar[int] = 0

    def __init__(self, settings: EncoderSettings) -> None:
        self.encoded = 0
        self._settings = settings
        self._flag: BgeM3 | None = None
        if settings.library == "flagembedding":
            from rr_torch.bge_m3 import BgeM3  # takes seconds, which nobody else should pay

            self._flag = BgeM3(settings, settings.flag_pooling)
            self.module: Any = self._flag.module
            self.dimensions = int(self.module.config.hidden_size)
        else:
            self.module = _sentence_transformer(settings)
            self.dimensions = int(self.module.get_embedding_dimension())
        check_finite(settings.model, self.module)
        self.module.requires_grad_(False)
        self.module.eval()
        readings: dict[tuple[str, Role | None], _Reading] = {}
        self._readings: dict[Role, _Reading] = {}
        apart = self._flag is None and reads_apart(self.module)
        for role in get_args(Role):
            key = self._prompt(role), role if apart else None
            self._readings[role] = readings[key] = readings.get(key) or self._reading(role, *key)

    @property
    def prompts(self) -> dict[Role, str]:
        return {role: reading.prompt for role, reading in self._readings.items()}

    def _prompt(self, role: Role) -> str:
        if self._flag is None:
            return prompt_of(self.module, role)
        asked = self._settings.query_prompt if role == "query" else self._settings.document_prompt
        return asked or ""

    def _reading(self, role: Role, prompt: str, apart: Role | None) -> _Reading:
        """`apart`: the role, where more than its prompt makes the difference; such models are not packed."""
        packable = self._flag is None and apart is None and self.module.device.type == "cpu"
        packed = packable and reads_packed(self.module, role)
        short = packed and reads_packed(self.module, role, short=True)
        key = self._fingerprint(prompt, apart, [packed, short])
        return _Reading(prompt, packed, short, key, EmbeddingStore(home() / "embeddings" / key[:32], self.dimensions))

    def _fingerprint(self, prompt: str, apart: Role | None, packed: list[bool]) -> str:
        """A hash of everything that determines a text's vector."""
        settings = self._settings
        return fingerprint(
            {
                "weights": settings.weights(),
                "library": settings.library,
                "pooling": settings.pooling,
                "max_seq_length": settings.max_seq_length,
                "prompt": prompt,
                "role": apart,
                "device": device_name(),
                "packed": packed,
                "versions": {name: version(name) for name in (*VERSIONS, *(["FlagEmbedding"] if self._flag else []))},
                "code": folder_fingerprint(Path(__file__).parent, "*.py"),
            }
        )

    def __call__(self, texts: Iterable[str], role: Role = "document") -> Tensor:
        """Shape (texts, dimensions), float32, on the encoder's device."""
        wanted, reading = list(texts), self._readings[role]

        def encode(new: list[str]) -> Tensor:
            return self._encode(new, role, reading)

        vectors = reading.store.vectors(wanted, encode) if keeping() else self._anew(wanted, encode)
        return vectors.to(self.module.device)

    def anew(self, texts: Iterable[str], role: Role = "document") -> Tensor:
        """As when it is called, computed now and not kept: for whoever keeps it in another form."""
        reading = self._readings[role]
        return self._anew(list(texts), lambda new: self._encode(new, role, reading)).to(self.module.device)

    def key(self, role: Role = "document") -> str:
        """A hash of all that a text's vector depends on besides the text."""
        return self._readings[role].key

    def too_long(self, texts: Sequence[str], role: Role = "document") -> list[bool]:
        """Which texts are cut."""
        limit, prompt = self._settings.max_seq_length, self._readings[role].prompt
        read = [prompt + text for text in texts]
        # a token holds a byte at the least of what a tokenizer reads: most texts need not be looked at
        might = [n for n, text in enumerate(read) if len(normalize("NFKC", text).encode()) + AROUND > limit]
        found = [False] * len(read)
        if might and (self._flag or isinstance(self.module.max_seq_length, int)):
            for index, cut in zip(might, self._longer([read[index] for index in might], limit), strict=True):
                found[index] = cut
        return found

    def _longer(self, texts: list[str], limit: int) -> list[bool]:
        if self._flag:
            return self._flag.too_long(texts)
        tokenizer = next(part.tokenizer for part in self.module.modules() if isinstance(part, Transformer))
        rows = tokenizer(texts, padding=False, truncation=False, verbose=False)["input_ids"]
        return [len(row) > limit for row in rows]

    def _anew(self, texts: list[str], encode: Encode) -> Tensor:
        """Each distinct text encoded now."""
        if not texts:
            return torch.empty(0, self.dimensions)
        distinct = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        return encode(list(distinct)).to(torch.float32)[[distinct[text] for text in texts]]

    def _encode(self, texts: list[str], role: Role, reading: _Reading) -> Tensor:
        self.encoded += len(texts)
        FrozenEncoder.in_all += len(texts)
        if self._flag:
            return torch.from_numpy(self._flag.encode([reading.prompt + text for text in texts], "dense_vecs"))
        if reading.packed:
            short = reading.short and sum(map(len, texts)) >= SHORT_FROM
            return packed_vectors(self.module, texts, short, reading.prompt)
        return encode_as(self.module, role)(
            texts, batch_size=self._settings.batch_size, convert_to_tensor=True, show_progress_bar=False
        )

    def as_sentence_transformer(self) -> Any:
        """A SentenceTransformer that embeds alike; the lengths of its vectors may differ."""
        if self._flag is None:
            return self.module
        source = self._flag.flag.model_name_or_path
        remote = runs_code(self._settings.trust_remote_code, source)
        with quiet():
            transformer = Transformer(
                source,
                max_seq_length=self._settings.max_seq_length,
                model_kwargs={"trust_remote_code": remote, "dtype": torch.float32},
            )
            pooling = Pooling(self.dimensions, self._settings.flag_pooling)
            prompts = {str(role): prompt for role, prompt in self.prompts.items()}
            return SentenceTransformer(modules=[transformer, pooling], device="cpu", prompts=prompts)


def _sentence_transformer(settings: EncoderSettings) -> Any:
    """A whole SentenceTransformer, pooling and cutting as the settings say."""
    source = model_path(settings.model, settings.sha256)
    remote = runs_code(settings.trust_remote_code, source)
    check_safetensors(source)
    with quiet(), fetching(source):
        module: Any = SentenceTransformer(
            source,
            device=str(pick_device()),
            trust_remote_code=remote,
            model_kwargs={"use_safetensors": True, "dtype": torch.float32},
        )
    parts = list(_parts(module))
    folder = whole_folder(settings.model, parts)
    _set_pooling(module, settings, folder)
    _settle_padding(module, settings.model)
    set_prompts(module, settings.query_prompt, settings.document_prompt)
    if isinstance(module.max_seq_length, int):  # embeddings of words, without attention, have no limit
        for part in parts:
            if isinstance(part, PreTrainedModel):
                check_length(part, settings.max_seq_length)
        module.max_seq_length = settings.max_seq_length
    return module


def _settle_padding(module: Any, model: str) -> None:
    tokenizers = [part.tokenizer for part in module.modules() if isinstance(part, Transformer)]
    roles: list[Role] = ["query", "document"] if reads_apart(module) else ["document"]
    for role in roles if tokenizers else []:
        read = partial(encode_as(module, role), convert_to_tensor=True, show_progress_bar=False)
        settle_padding(model, tokenizers, read, PROBE)


def _parts(modules: Iterable[Any]) -> Iterator[Any]:
    """What holds weights: the transformers models, and the modules that are none."""
    for part in modules:
        if isinstance(part, Router):
            for route in part.sub_modules.values():
                yield from _parts(route)
        else:
            yield getattr(part, "auto_model", part)


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
def cosine_scores(requests: Sequence[Request], embed: Embed, encoder: FrozenEncoder) -> list[Scores]:
    """For each request the cosine of its query with each candidate; `embed` gives vectors of any length, of what
    `encoder` reads. Diagnostics: `truncated`, the share of a query's documents that were cut."""
    contents = [d.content for request in requests for d in request.candidates]
    queries = _unit(embed([request.query.text for request in requests], "query"))
    documents, cut = _unit(embed(contents, "document")), encoder.too_long(contents)
    answers, start = [], 0
    for query, request in zip(queries, requests, strict=True):
        end = start + len(request.candidates)
        # not a matrix product, whose last bit depends on the row: equal texts must get equal scores
        cosines = (documents[start:end] * query).sum(dim=1).tolist()
        answers.append(Scores(tuple(cosines), {"truncated": sum(cut[start:end]) / len(request.candidates)}))
        start = end
    return answers


def _unit(vectors: Tensor) -> Tensor:
    return torch.nn.functional.normalize(vectors, dim=-1)
