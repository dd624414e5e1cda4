"""A CrossEncoder: query and document together, one logit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from sentence_transformers import CrossEncoder
from torch import Tensor

from rr import ModelInfo, Request, RerankError, Scores
from rr_sentence_transformers.loading import Lengths, load, missing_weights, settle, settle_length, source_of
from rr_sentence_transformers.settings import SentenceTransformersSettings
from rr_torch import by_request, parameter_counts, precision_of

PROBE = [("a", "b"), ("a longer query", "and a longer document that answers it"), ("c", "d e")]
SCALES: dict[type, Literal["logit", "probability"]] = {
    torch.nn.Identity: "logit",
    torch.nn.Sigmoid: "probability",
}
"""What the activation function says of the scores."""


class Cross:
    def __init__(self, settings: SentenceTransformersSettings, checkpoint: Path | None) -> None:
        source = source_of(settings, checkpoint)
        if settings.document_prompt_name is not None:
            raise RerankError(
                f"model {settings.model!r} is a cross-encoder, which has one prompt a pair; leave out "
                "'document_prompt_name'"
            )
        self._settings, self._trained = settings, checkpoint is not None
        self._module: Any = load(CrossEncoder, source, settings)
        if self._module.num_labels != 1:
            raise RerankError(
                f"model {settings.model!r} has {self._module.num_labels} labels; a reranker needs one that scores"
            )
        self._missing = missing_weights(self._module, source, settings)
        self._scale = self._own_scale() if settings.scale == "model" else settings.scale
        self._prompt = prompt_of(self._module, settings.prompt_name, settings.model)
        self._lengths = Lengths(self._module, settle_length(self._module, settings), ("", ""), self._prompt)
        settle(self._module, settings.model, self._logits, PROBE)

    @property
    def info(self) -> ModelInfo:
        parts = sorted({name.rpartition(".")[0] for name in self._missing})
        return ModelInfo(
            self._scale,
            state="untrained" if self._missing else "trained" if self._trained else "pretrained",
            parameters=parameter_counts(self._module)[0],
            notes=(f"random {', '.join(parts)}",) if parts else (),
            precision=precision_of(self._module.dtype),
        )

    def score(self, requests: Sequence[Request]) -> list[Scores]:
        pairs = [(r.query.text, document.content) for r in requests for document in r.candidates]
        distinct = list(dict.fromkeys(pairs))  # equal texts get equal scores, whatever batch they would come in
        logits = dict(zip(distinct, self._logits(distinct).tolist(), strict=True)) if distinct else {}
        cut = {pair: self._lengths.cut(pair) for pair in distinct}
        return by_request(requests, [logits[p] for p in pairs], [cut[p] for p in pairs], self._scale)

    def _logits(self, pairs: Sequence[tuple[str, str]]) -> Tensor:
        """Shape (pairs,), float32."""
        found: Tensor = self._module.predict(
            list(pairs),
            prompt=self._prompt,
            batch_size=self._settings.batch_size,
            activation_fn=torch.nn.Identity(),
            convert_to_tensor=True,
            show_progress_bar=False,
        )
        return found.float().cpu()

    def _own_scale(self) -> Literal["logit", "probability"]:
        own = type(self._module.activation_fn)
        if own not in SCALES:
            raise RerankError(
                f"model {self._settings.model!r}: its activation function is {own.__name__}, which does not tell what "
                "its scores mean; set scale: logit, or scale: probability"
            )
        return SCALES[own]


def prompt_of(module: Any, name: str | None, model: str) -> str | None:
    """The text of the model's prompt `name`; without one, of its default prompt. None: it has none.

    Raises:
        RerankError: it has no such prompt.
    """
    prompts: dict[str, str] = module.prompts
    if name is None:
        return prompts.get(module.default_prompt_name or "") or None
    if name not in prompts:
        raise RerankError(f"model {model!r} has no prompt {name!r}; it has {', '.join(sorted(prompts)) or 'none'}")
    return prompts[name]
