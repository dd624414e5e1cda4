"""FlagEmbedding's rerankers: their own `compute_score`, with a line about everything that it does in silence.

They cut queries to three quarters of max_length: here such a query is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import redirect_stderr
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from FlagEmbedding import FlagLLMReranker, FlagReranker
from packaging.version import Version

from rr import ModelInfo, Request, RerankError, Scores
from rr_flagembedding.settings import FlagEmbeddingSettings
from rr_torch import (
    by_request,
    check_finite,
    check_length,
    check_safetensors,
    fetching,
    model_path,
    parameter_counts,
    pick_device,
    quiet,
    runs_code,
    settle_padding,
    weights_folder,
    weights_not_in,
)

PROBE = [("a", "b"), ("a longer query", "and a longer document that answers it"), ("c", "d e")]
WRITTEN_FOR = Version("5")
"""The transformers below which the library's own model code of the other two kinds runs."""


class FlagEmbeddingScorer:
    """Scores are logits or their sigmoids. Diagnostics: `truncated`, the share of a query's documents that were cut."""

    Settings = FlagEmbeddingSettings

    def __init__(self, settings: FlagEmbeddingSettings, checkpoint: Path | None = None) -> None:
        self._settings, self._trained, device = settings, checkpoint is not None, pick_device()
        if settings.kind in ("layerwise", "lightweight"):
            _refuse(settings.kind)
        if settings.use_fp16 and device.type == "cpu":
            raise RerankError("use_fp16: FlagEmbedding has half precision on a GPU only; set use_fp16: false")
        source = str(checkpoint) if checkpoint else model_path(settings.model)
        remote = runs_code(settings.trust_remote_code, source)
        check_safetensors(source)
        self._llm = settings.kind == "llm"
        options: dict[str, Any] = {"prompt": settings.prompt} if self._llm else {}
        with quiet(), fetching(source):
            self._library: Any = (FlagLLMReranker if self._llm else FlagReranker)(
                source,
                use_fp16=settings.use_fp16,
                max_length=settings.max_length,
                query_max_length=self._query_limit,
                normalize=False,  # a sigmoid is taken of logits that are kept, which it is ranked by
                trust_remote_code=remote,
                devices=str(device),
                **options,
            )
        model, self._tokenizer = self._library.model, self._library.tokenizer
        self._check(source, model)
        model.float().to(device)  # transformers loads the format that was saved; use_fp16 halves it again
        settle_padding(settings.model, [self._tokenizer], self._read, PROBE, settings.use_fp16)

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(
            self._settings.scale,
            state="trained" if self._trained else "pretrained",
            parameters=parameter_counts(self._library.model)[0],
            precision="float16" if self._settings.use_fp16 else "float32",
        )

    def score(self, requests: Sequence[Request]) -> list[Scores]:
        """
        Raises:
            RerankError: the library would cut a query.
        """
        pairs = [(r.query.text, document.content) for r in requests for document in r.candidates]
        distinct = list(dict.fromkeys(pairs))  # equal texts get equal scores, whatever batch they would come in
        cut = dict(zip(distinct, self._cut(distinct), strict=True))
        logits = dict(zip(distinct, self._read(distinct).tolist(), strict=True)) if distinct else {}
        return by_request(requests, [logits[p] for p in pairs], [cut[p] for p in pairs], self._settings.scale)

    def _read(self, pairs: Sequence[tuple[str, str]]) -> torch.Tensor:
        """Shape (pairs,), in 64 bits as the library gives them."""
        with redirect_stderr(StringIO()):  # it draws progress bars, and has no switch for them
            found = self._library.compute_score(list(pairs), batch_size=self._settings.batch_size)
        return torch.tensor(found, dtype=torch.float64).reshape(-1)

    @property
    def _query_limit(self) -> int:
        """The library's own default."""
        return self._settings.max_length * 3 // 4

    def _cut(self, pairs: Sequence[tuple[str, str]]) -> list[bool]:
        """Which documents are cut."""
        words = ("A: ", "B: ") if self._llm else ("", "")
        queries = {query: self._tokens(words[0] + query) for query in dict.fromkeys(query for query, _ in pairs)}
        for query, tokens in queries.items():
            if tokens > self._query_limit:
                raise RerankError(
                    f"the query {query[:40]!r}… has {tokens} tokens, and FlagEmbedding cuts queries to "
                    f"{self._query_limit}; raise max_length or shorten the query"
                )
        limit, around = self._settings.max_length, self._around()
        documents = [self._tokens(words[1] + document) for _, document in pairs]
        return [
            tokens > limit or queries[query] + tokens + around > limit
            for (query, _), tokens in zip(pairs, documents, strict=True)
        ]

    def _around(self) -> int:
        """Tokens that take part of max_length besides query and document. An LLM has room for the line breaks and the
        prompt beyond it, which the first token and one line break take less of than there is."""
        if not self._llm:
            return int(self._tokenizer.num_special_tokens_to_add(pair=True))
        first = self._tokenizer.bos_token_id
        begins = first is not None and first != self._tokenizer.pad_token_id
        return int(begins) - self._tokens(self._settings.prompt or LIBRARY_PROMPT)

    def _tokens(self, text: str) -> int:
        # padding and truncation are given at every call: a tokenizer file may carry fixed ones
        rows = self._tokenizer(text, add_special_tokens=False, padding=False, truncation=False, verbose=False)
        return len(rows["input_ids"])

    def _check(self, source: str, model: Any) -> None:
        """
        Raises:
            RerankError: the model is none of its kind, lacks weights, cannot be padded, or cannot read so much.
        """
        name = self._settings.model
        if not self._llm and model.config.num_labels != 1:
            raise RerankError(f"model {name!r} has {model.config.num_labels} labels; a reranker needs one logit")
        folder = weights_folder(source)
        if folder is None:
            raise RerankError(f"model {name!r}: its files cannot be found to check that they are whole")
        missing = weights_not_in(folder, model)
        if missing:  # the library draws them at random, and says nothing
            raise RerankError(f"model {name!r} lacks weights of a reranker, {missing[0]} among them; train it first")
        if self._tokenizer.pad_token_id is None:
            raise RerankError(
                f"model {name!r} has no pad token, which batches need; name one in its tokenizer_config.json "
                "(pad_token), one that no text holds"
            )
        check_finite(name, model)
        check_length(model, self._settings.max_length)


LIBRARY_PROMPT = (
    "Given a query A and a passage B, determine whether the passage contains an answer to the query by providing a "
    "prediction of either 'Yes' or 'No'."
)
"""What FlagLLMReranker asks where it is told nothing else."""


def _refuse(kind: str) -> None:
    """
    Raises:
        RerankError: the library's model code of that kind does not run here.
    """
    here = version("transformers")
    why = f"does not run with transformers {here}" if Version(here) >= WRITTEN_FOR else "is not supported here"
    raise RerankError(
        f"kind: {kind}: the model code of FlagEmbedding {version('FlagEmbedding')} {why}, being written for 4.x; use a "
        "model of kind: reranker or kind: llm"
    )
