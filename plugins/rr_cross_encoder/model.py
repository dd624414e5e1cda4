"""A pair of texts in, one logit out: tokenizing, cutting, batching, and the forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from rr import RerankError, Settings
from rr.modeling.batching import token_batches
from rr.modeling.device import DtypeName, pick_device, pick_dtype, seeded
from rr.modeling.loading import quiet
from rr.modeling.source import model_path, weights_fingerprint

MIN_DOCUMENT_TOKENS = 8


class CrossEncoderSettings(Settings):
    model: str
    """A folder, `package:NAME/FOLDER` inside an installed package, or a hub name."""
    sha256: str | None = None
    """What model.safetensors must hash to; None: not verified."""
    max_length: int = 256
    """Tokens of query, document and special tokens together; only the document is ever cut."""
    token_budget: int = 4096
    """Tokens a forward pass takes, padding included."""
    dtype: DtypeName = "auto"
    seed: int = 0
    """Of the random head, where the base model has none."""
    trust_remote_code: bool = False

    def weights(self) -> str:
        return weights_fingerprint(self.model)


class PairModel:
    """Tokenizer and model, on their device. `untrained`: the names of weights that the base model does not have and
    that are therefore random."""

    def __init__(self, settings: CrossEncoderSettings, checkpoint: Path | None) -> None:
        source = str(checkpoint) if checkpoint else model_path(settings.model, settings.sha256)
        self.settings = settings
        self.device = pick_device()
        remote = settings.trust_remote_code
        self.tokenizer: Any = AutoTokenizer.from_pretrained(source, trust_remote_code=remote)
        with quiet(), seeded(settings.seed):
            self.model, loading = AutoModelForSequenceClassification.from_pretrained(
                source,
                num_labels=1,
                dtype=pick_dtype(settings.dtype, self.device),
                use_safetensors=True,
                trust_remote_code=remote,
                output_loading_info=True,
            )
        self.untrained = tuple(sorted(loading["missing_keys"]))
        self.model.to(self.device).eval()

    def encode(self, pairs: Sequence[tuple[str, str]]) -> tuple[list[dict[str, list[int]]], list[bool]]:
        """The token ids of each (query, document) pair, and whether its document was cut.

        Raises:
            RerankError: a query leaves no room for a document.
        """
        limit = self.settings.max_length
        encoded = [self._tokenize(query, document) for query, document in pairs]
        cut = [len(row["input_ids"]) > limit for row in encoded]
        for index, (query, document) in enumerate(pairs):
            if cut[index]:
                room = limit - len(self._tokenize(query, "")["input_ids"])
                if room < MIN_DOCUMENT_TOKENS:
                    raise RerankError(
                        f"the query {query[:40]!r}… leaves {max(room, 0)} of max_length {limit} tokens "
                        "to the document; raise max_length or shorten the query"
                    )
                encoded[index] = self._tokenize(query, document, truncation="only_second", max_length=limit)
        return encoded, cut

    def logits(self, batch: Sequence[dict[str, list[int]]]) -> torch.Tensor:
        """Shape (len(batch),), float32 whatever the model's format, so that close scores do not tie."""
        padded = self.tokenizer.pad(list(batch), return_tensors="pt").to(self.device)
        return self.model(**padded).logits[:, 0].float()  # type: ignore[no-any-return]

    @torch.inference_mode()
    def score(self, encoded: Sequence[dict[str, list[int]]]) -> list[float]:
        scores = [0.0] * len(encoded)
        lengths = [len(row["input_ids"]) for row in encoded]
        for batch in token_batches(lengths, self.settings.token_budget):
            values = self.logits([encoded[index] for index in batch]).tolist()
            for index, value in zip(batch, values, strict=True):
                scores[index] = value
        return scores

    def _tokenize(self, query: str, document: str, **options: Any) -> dict[str, list[int]]:
        # padding and truncation are given at every call: a tokenizer file may carry fixed ones (MiniLM's does)
        options = {"truncation": False, **options}
        return dict(self.tokenizer(query, document, padding=False, verbose=False, **options))
