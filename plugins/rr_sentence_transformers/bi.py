"""A SentenceTransformer: query and documents each alone, and the cosine of their embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from rr import ModelInfo, Request, RerankError, Scores
from rr_sentence_transformers.cross import prompt_of
from rr_sentence_transformers.files import has_modules
from rr_sentence_transformers.loading import Lengths, load, missing_weights, settle, settle_length, source_of
from rr_sentence_transformers.settings import SentenceTransformersSettings
from rr_torch import parameter_counts, precision_of

PROBE = ["a", "a longer text than the others of the batch, to be padded to", "b c"]


class Bi:
    def __init__(self, settings: SentenceTransformersSettings, checkpoint: Path | None) -> None:
        source = source_of(settings, checkpoint)
        if settings.scale != "model":
            raise RerankError(f"model {settings.model!r} is a bi-encoder, whose scores are cosines; leave out 'scale'")
        self._settings, self._trained = settings, checkpoint is not None
        self._module: Any = load(SentenceTransformer, source, settings)
        # a pooler is no part of CLS or mean pooling; models are often published without it
        missing = [name for name in missing_weights(self._module, source, settings) if "pooler" not in name]
        if missing:
            raise RerankError(
                f"model {settings.model!r} lacks weights (in safetensors files): {', '.join(missing[:5])}; get a whole "
                "copy of it"
            )
        self._notes = (
            () if has_modules(source, settings.revision) else ("mean pooling, of which its files say nothing",)
        )
        for name in (settings.prompt_name, settings.document_prompt_name):
            prompt_of(self._module, name, settings.model)
        limit = settle_length(self._module, settings)
        self._lengths = Lengths(self._module, limit, "", self._document_prompt())
        settle(self._module, settings.model, self._documents, PROBE)

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(
            "cosine",
            state="trained" if self._trained else "pretrained",
            parameters=parameter_counts(self._module)[0],
            notes=self._notes,
            precision=precision_of(self._module.dtype),
        )

    def score(self, requests: Sequence[Request]) -> list[Scores]:
        if not requests:
            return []
        asked = list(dict.fromkeys(request.query.text for request in requests))
        shown = list(dict.fromkeys(document.content for request in requests for document in request.candidates))
        queries = dict(zip(asked, _unit(self._queries(asked)), strict=True))
        documents = dict(zip(shown, _unit(self._documents(shown)), strict=True))
        cut = {text: self._lengths.cut(text) for text in shown}
        answers = []
        for request in requests:
            texts = [document.content for document in request.candidates]
            # not a matrix product, whose last bit depends on the row: equal texts must get equal scores
            cosines = (torch.stack([documents[text] for text in texts]) * queries[request.query.text]).sum(dim=1)
            truncated = sum(cut[text] for text in texts) / len(texts)
            answers.append(Scores(tuple(cosines.clamp(-1, 1).tolist()), {"truncated": truncated}))
        return answers

    def _queries(self, texts: Sequence[str]) -> Tensor:
        return self._encoded(self._module.encode_query, texts, self._settings.prompt_name)

    def _documents(self, texts: Sequence[str]) -> Tensor:
        return self._encoded(self._module.encode_document, texts, self._settings.document_prompt_name)

    def _encoded(self, encode: Any, texts: Sequence[str], prompt_name: str | None) -> Tensor:
        """Shape (texts, dimensions), float32."""
        found: Tensor = encode(
            list(texts),
            prompt_name=prompt_name,
            batch_size=self._settings.batch_size,
            convert_to_tensor=True,
            show_progress_bar=False,
        )
        return found.float().cpu()

    def _document_prompt(self) -> str | None:
        """As `encode_document` picks it."""
        named = self._settings.document_prompt_name
        own = next((name for name in ("document", "passage", "corpus") if name in self._module.prompts), None)
        return prompt_of(self._module, named or own, self._settings.model)


def _unit(vectors: Tensor) -> Tensor:
    return torch.nn.functional.normalize(vectors, dim=-1)
