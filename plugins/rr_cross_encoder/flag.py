"""FlagEmbedding's FlagReranker as a Scorer, on the checkpoints of the cross-encoder.

Its own rule is to cut a query to three quarters of max_seq_length, in silence, and the document to what is left. Here
a query that it would cut is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from FlagEmbedding import FlagReranker
from transformers import AutoConfig, AutoTokenizer

from rr import ModelInfo, Request, RerankError, Scores
from rr_cross_encoder.model import PROBE, check_labels, check_separator
from rr_cross_encoder.settings import FlagRerankerSettings
from rr_torch import (
    by_request,
    check_length,
    check_safetensors,
    counted,
    fetching,
    model_path,
    parameter_counts,
    pick_device,
    quiet,
    runs_code,
    settle_padding,
    token_batches,
    weights_folder,
    weights_not_in,
)


class FlagScorer:
    """Scores are logits or their sigmoids. Diagnostics: `truncated`, the share of a query's documents that were cut."""

    Settings = FlagRerankerSettings

    def __init__(self, settings: FlagRerankerSettings, checkpoint: Path | None = None) -> None:
        source = str(checkpoint) if checkpoint else model_path(settings.model, settings.sha256)
        self._settings, self._trained, device = settings, checkpoint is not None, pick_device()
        if settings.use_fp16 and device.type == "cpu":
            raise RerankError("use_fp16: FlagReranker has half precision on a GPU only; set use_fp16: false")
        remote = runs_code(settings.trust_remote_code, source)
        check_safetensors(source)
        with fetching(source):
            self._tokenizer: Any = AutoTokenizer.from_pretrained(source, trust_remote_code=remote)
            config = AutoConfig.from_pretrained(source, trust_remote_code=remote)
        check_labels(config, settings.model)
        check_separator(self._tokenizer, settings.model)
        with quiet(), fetching(source):
            self._reranker: Any = FlagReranker(
                source,
                use_fp16=settings.use_fp16,
                max_length=settings.max_seq_length,
                query_max_length=self._query_limit,
                normalize=False,  # a sigmoid is taken of logits that are kept, which it is ranked by
                trust_remote_code=remote,
                devices=str(device),
            )
        self._check_weights(source)
        check_length(self._reranker.model, settings.max_seq_length, self._tokenizer)
        self._reranker.model.float()  # transformers loads the format that was saved; use_fp16 halves it again
        settle_padding(settings.model, [self._reranker.tokenizer], self._read, PROBE, settings.use_fp16)

    @property
    def info(self) -> ModelInfo:
        total, _ = parameter_counts(self._reranker.model)
        return ModelInfo(
            self._settings.scale,
            state="trained" if self._trained else "pretrained",
            parameters=total,
            precision="float16" if self._settings.use_fp16 else "float32",
        )

    def score(self, requests: Sequence[Request]) -> list[Scores]:
        """
        Raises:
            RerankError: FlagReranker would cut a query.
        """
        pairs = [(r.query.text, document.content) for r in requests for document in r.candidates]
        lengths = self._lengths(requests)
        logits = [0.0] * len(pairs)
        held = [min(n, self._settings.max_seq_length) for n in lengths]
        for batch in counted(token_batches(held, self._settings.token_budget)):
            for index, value in zip(batch, self._read([pairs[index] for index in batch]).tolist(), strict=True):
                logits[index] = value
        cut = [length > self._settings.max_seq_length for length in lengths]
        return by_request(requests, logits, cut, self._settings.scale)

    def _read(self, pairs: Sequence[tuple[str, str]]) -> torch.Tensor:
        """Shape (pairs,), in 64 bits as it gives them."""
        # one more than there are: from as many pairs as batch_size on it draws progress bars
        found = self._reranker.compute_score(list(pairs), batch_size=len(pairs) + 1)
        return torch.tensor(found, dtype=torch.float64)

    @property
    def _query_limit(self) -> int:
        """FlagReranker's own default."""
        return self._settings.max_seq_length * 3 // 4

    def _lengths(self, requests: Sequence[Request]) -> list[int]:
        """Tokens of each pair before anything is cut."""
        special = self._tokenizer.num_special_tokens_to_add(pair=True)
        queries = self._tokens([request.query.text for request in requests])
        for request, tokens in zip(requests, queries, strict=True):
            if tokens > self._query_limit:
                raise RerankError(
                    f"the query {request.query.text[:40]!r}… has {tokens} tokens, and FlagReranker cuts queries to "
                    f"{self._query_limit}; raise max_seq_length or shorten the query"
                )
        documents = iter(self._tokens([document.content for request in requests for document in request.candidates]))
        return [
            tokens + next(documents) + special
            for request, tokens in zip(requests, queries, strict=True)
            for _ in request.candidates
        ]

    def _tokens(self, texts: list[str]) -> list[int]:
        # padding and truncation are given at every call: a tokenizer file may carry fixed ones
        rows = self._tokenizer(texts, add_special_tokens=False, padding=False, truncation=False, verbose=False)
        return [len(row) for row in rows["input_ids"]]

    def _check_weights(self, source: str) -> None:
        """FlagReranker itself scores with a random head and says nothing.

        Raises:
            RerankError: some weights are not in the model's files.
        """
        folder = weights_folder(source)
        if folder is None:
            raise RerankError(f"model {source!r}: its files cannot be found to check that they are whole")
        missing = weights_not_in(folder, self._reranker.model)
        if missing:
            raise RerankError(f"model {source!r} lacks weights of a reranker, {missing[-1]} among them; train it first")
