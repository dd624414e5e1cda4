"""A pair of texts in, one logit out: tokenizing, cutting, batching, and the forward pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from rr import RerankError
from rr_cross_encoder.backends import exported, int8
from rr_cross_encoder.packed import Encoded, can_pack_pairs, packed_logits
from rr_cross_encoder.served import own_prompt, save_as_cross_encoder
from rr_cross_encoder.settings import CrossEncoderSettings
from rr_torch import (
    ShortEncoder,
    check_finite,
    check_length,
    check_safetensors,
    counted,
    fetching,
    has_short_way,
    model_path,
    pack,
    packs,
    parameter_counts,
    pick_device,
    pick_dtype,
    precision_of,
    quiet,
    runs_code,
    seeded,
    settle_padding,
    token_batches,
    weights_fingerprint,
)

MIN_DOCUMENT_TOKENS = 8
PACK = 1024
"""Tokens of a pack at most: more do not stay in a CPU's cache from one layer's step to the next."""
SHORT_FROM = 512
"""Tokens from which the short way is worth laying out the weights for."""
PROBE = [("a", "b"), ("a longer query", "and a longer document that answers it"), ("c", "d e")]
"""Pairs by which ways to read are compared at load."""


class PairModel:
    """Tokenizer and model, on their device. `untrained`: the names of weights that the base model does not have and
    that are therefore random."""

    def __init__(self, settings: CrossEncoderSettings, checkpoint: Path | None) -> None:
        source = str(checkpoint) if checkpoint else model_path(settings.model, settings.sha256)
        self.settings = settings
        self.device = pick_device() if settings.plain else torch.device("cpu")
        remote = runs_code(settings.trust_remote_code, source)
        check_safetensors(source)
        with fetching(source):
            self.tokenizer: Any = AutoTokenizer.from_pretrained(source, trust_remote_code=remote)
            config = AutoConfig.from_pretrained(source, trust_remote_code=remote)
        self.prompt = own_prompt(source)
        check_labels(config, settings.model)
        check_separator(self.tokenizer, settings.model)
        with quiet(), seeded(settings.seed), fetching(source):
            self.model, loading = AutoModelForSequenceClassification.from_pretrained(
                source,
                num_labels=1,
                dtype=pick_dtype(settings.dtype, self.device),
                use_safetensors=True,
                trust_remote_code=remote,
                output_loading_info=True,
            )
        check_finite(settings.model, self.model)
        self.untrained = tuple(sorted(loading["missing_keys"]))
        check_length(self.model, settings.max_seq_length, self.tokenizer)
        self.model.to(self.device).eval()
        self.parameters, self.trainable = parameter_counts(self.model)
        self.precision = precision_of(self.model.dtype)
        self._settle_padding()
        self.packs = settings.plain and self.device.type == "cpu" and can_pack_pairs(self.model)
        self.shortens = False
        if self.packs:
            self._pack()
        if not settings.plain:
            self._replace(source)

    def encode(self, pairs: Sequence[tuple[str, str]]) -> tuple[list[Encoded], list[bool]]:
        """The token ids of each (query, document) pair, and whether its document was cut.

        Raises:
            RerankError: a query leaves no room for a document.
        """
        limit = self.settings.max_seq_length
        encoded = self._tokenize(pairs, truncation=False)
        cut = [len(row["input_ids"]) > limit for row in encoded]
        long = [index for index in range(len(pairs)) if cut[index]]
        for query in {pairs[index][0] for index in long}:
            room = limit - len(self._tokenize([(query, "")], truncation=False)[0]["input_ids"])
            if room < MIN_DOCUMENT_TOKENS:
                raise RerankError(
                    f"the query {query[:40]!r}… leaves {max(room, 0)} of max_seq_length {limit} tokens "
                    "to the document; raise max_seq_length or shorten the query"
                )
        shortened = self._tokenize([pairs[index] for index in long], truncation="only_second", max_length=limit)
        for index, row in zip(long, shortened, strict=True):
            encoded[index] = row
        return encoded, cut

    def logits(self, batch: Sequence[Encoded]) -> torch.Tensor:
        """Shape (len(batch),), float32 whatever the model's format, so that close scores do not tie."""
        return packed_logits(self.model, batch) if self.packs else self._padded(batch)

    def _padded(self, batch: Sequence[Encoded]) -> torch.Tensor:
        padded = self.tokenizer.pad(list(batch), return_tensors="pt").to(self.device)
        return self.model(**padded).logits[:, 0].float()  # type: ignore[no-any-return]

    def _settle_padding(self) -> None:
        """
        Raises:
            RerankError: there is nothing to pad with, or padding changes the logits.
        """
        config = self.model.config.get_text_config()
        if self.tokenizer.pad_token_id is None:
            raise RerankError(
                f"model {self.settings.model!r} has no pad token, which batches need; name one in its "
                "tokenizer_config.json (pad_token), one that no text holds"
            )
        if config.pad_token_id is None:  # decoders find a text's last token by it
            config.pad_token_id = self.tokenizer.pad_token_id
        probe, _ = self.encode(PROBE)
        half = self.model.dtype != torch.float32
        settle_padding(self.settings.model, [self.tokenizer], self._padded, probe, half)

    @torch.inference_mode()
    def _pack(self) -> None:
        """Switches to packed attention and to the short way, each unless a probe shows that this architecture reads
        otherwise."""
        probe, _ = self.encode(PROBE[:2])
        expected = self._padded(probe)
        rounding = 1e-4 if self.model.dtype == torch.float32 else 0.1
        own = self.model.config._attn_implementation
        pack(self.model)
        self.packs = torch.allclose(packed_logits(self.model, probe), expected, atol=rounding)
        if not self.packs:
            self.model.set_attn_implementation(own)
        elif has_short_way(self.model):
            short = ShortEncoder(self.model.base_model.encoder)
            self.shortens = torch.allclose(packed_logits(self.model, probe, short), expected, atol=rounding)

    def _replace(self, source: str) -> None:
        """Lets the settings' backend and number format compute in place of the model."""
        settings = self.settings
        if settings.quantization == "int8":  # activations have one scale a batch: company would change a score
            self.settings = settings.model_copy(update={"token_budget": 1})
        if settings.backend == "torch":
            self.model = int8(self.model)
            return
        batches = (PROBE[:2], PROBE[:0:-1] * 2)
        probes = [self.tokenizer.pad(self.encode(batch)[0], return_tensors="pt") for batch in batches]
        key = (weights_fingerprint(source), settings.seed)
        self.model = exported(self.model, settings.backend, settings.quantization == "int8", key, probes)

    @torch.inference_mode()
    def score(self, encoded: Sequence[Encoded]) -> list[float]:
        scores = [0.0] * len(encoded)
        lengths = [len(row["input_ids"]) for row in encoded]
        budget = self.settings.token_budget
        batches = packs(lengths, min(budget, PACK)) if self.packs else token_batches(lengths, budget)
        logits = self._fastest(sum(lengths))
        for batch in counted(batches):
            values = logits([encoded[index] for index in batch]).tolist()
            for index, value in zip(batch, values, strict=True):
                scores[index] = value
        return scores

    def save(self, folder: Path, weights: Mapping[str, torch.Tensor] | None = None) -> None:
        """Writes what this plugin, transformers and sentence-transformers load; with these weights, else its own.

        Raises:
            RerankError: something else computes in the model's place.
        """
        if not self.settings.plain:
            raise RerankError("what another backend or int8 computes is not written; export with 'backend: torch'")
        with quiet():
            self.model.save_pretrained(folder, state_dict=None if weights is None else dict(weights))
            save_as_cross_encoder(self.tokenizer, self.prompt, self.settings.max_seq_length, folder)

    def _fastest(self, tokens: int) -> Callable[[Sequence[Encoded]], torch.Tensor]:
        """As `logits`, for inference, with so many tokens to read in all."""
        if self.shortens and tokens >= SHORT_FROM and has_short_way(self.model):
            return partial(packed_logits, self.model, short=ShortEncoder(self.model.base_model.encoder))
        return self.logits

    def _tokenize(self, pairs: Sequence[tuple[str, str]], **options: Any) -> list[Encoded]:
        # padding and truncation are given at every call: a tokenizer file may carry fixed ones (MiniLM's does)
        if not pairs:
            return []
        queries, documents = zip(*pairs, strict=True)
        asked = [self.prompt + query for query in queries]
        rows = self.tokenizer(asked, list(documents), padding=False, verbose=False, **options)
        return [{name: values[index] for name, values in rows.items()} for index in range(len(pairs))]


def check_labels(config: Any, model: str) -> None:
    """
    Raises:
        RerankError: the model has several labels.
    """
    classifies = any("ForSequenceClassification" in name for name in config.architectures or ())
    if classifies and config.num_labels != 1:
        raise RerankError(f"model {model!r} has {config.num_labels} labels; a cross-encoder needs one logit")


def check_separator(tokenizer: Any, model: str) -> None:
    """
    Raises:
        RerankError: query and document run into each other: nothing tells where one ends and the other begins.
    """
    for space in ("", " "):  # some tokenizers make spaces part of a word
        pairs = [("a b c", ""), ("a", f"{space}b c"), ("a b", f"{space}c")]
        queries, documents = zip(*pairs, strict=True)
        columns = tokenizer(list(queries), list(documents), padding=False, truncation=False).values()
        if any(one == other for one, other in combinations(zip(*columns, strict=True), 2)):
            raise RerankError(
                f"model {model!r}: its tokenizer puts nothing between query and document; use a model whose tokenizer "
                "does (most decoders' do not)"
            )
