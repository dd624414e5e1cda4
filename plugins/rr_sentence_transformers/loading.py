"""How both classes of the library are loaded: from safetensors, whole, in eval mode, on our device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from unicodedata import normalize

import torch
from torch import Tensor

from rr import RerankError
from rr_sentence_transformers.settings import SentenceTransformersSettings
from rr_torch import (
    check_finite,
    check_length,
    check_safetensors,
    fetching,
    model_path,
    pick_device,
    pick_dtype,
    quiet,
    readable_tokens,
    runs_code,
    seeded,
    settle_padding,
    weights_folder,
    weights_not_in,
)

Item = TypeVar("Item", str, tuple[str, str])


def source_of(settings: SentenceTransformersSettings, checkpoint: Path | None) -> str:
    """
    Raises:
        RerankError: there is no such folder, or a revision of one is asked for.
    """
    if checkpoint is not None:
        return str(checkpoint)
    source = model_path(settings.model)
    if settings.revision is not None and Path(source).is_dir():
        raise RerankError(f"model {settings.model!r} is a folder, which has no revisions; leave out 'revision'")
    return source


def load(kind: Callable[..., Any], source: str, settings: SentenceTransformersSettings, **options: Any) -> Any:
    """A CrossEncoder or a SentenceTransformer. What its files lack is drawn alike each time.

    Raises:
        RerankError: its weights are pickled or hold no number, or its code is not allowed to run.
    """
    device = pick_device()
    remote = runs_code(settings.trust_remote_code, source)
    folder = weights_folder(source, settings.revision)
    if folder is not None:
        check_safetensors(str(folder))
    with quiet(), seeded(0), fetching(source):
        module = kind(
            source,
            device=str(device),
            revision=settings.revision,
            trust_remote_code=remote,
            model_kwargs={"use_safetensors": True, "dtype": pick_dtype(settings.dtype, device)},
            **options,
        )
    check_finite(settings.model, module)
    module.requires_grad_(False)
    return module.eval()


def missing_weights(module: Any, source: str, settings: SentenceTransformersSettings) -> list[str]:
    """The weights of its transformers model that its files lack. Raises RerankError: there are no files to compare."""
    folder = weights_folder(source, settings.revision)
    if folder is None:
        raise RerankError(f"model {settings.model!r}: its files cannot be found to check that they are whole")
    return [] if module.transformers_model is None else weights_not_in(folder, module.transformers_model)


def settle_length(module: Any, settings: SentenceTransformersSettings) -> int | None:
    """Has the model cut where the settings say, or at what it can read; how many tokens that is, None: it never cuts.

    Raises:
        RerankError: it cannot read so many.
    """
    model, tokenizer = module.transformers_model, module.tokenizer
    if model is None or tokenizer is None:  # embeddings of words, without attention, have no limit
        return None
    if settings.max_length is not None:
        check_length(model, settings.max_length)
        module.max_seq_length = settings.max_length
        return settings.max_length
    own = min(readable_tokens(model), module.max_seq_length or 10**9)
    if own >= 10**9:  # transformers' own number for no limit is larger
        return None
    module.max_seq_length = int(own)
    return int(own)


def settle(module: Any, model: str, read: Callable[[Sequence[Item]], Tensor], probe: Sequence[Item]) -> None:
    """Has padding change no answer. Raises RerankError: there is nothing to pad with, or no side that does not."""
    tokenizer, transformer = module.tokenizer, module.transformers_model
    if tokenizer is None or transformer is None:
        return
    if getattr(tokenizer, "pad_token_id", 0) is None:
        raise RerankError(
            f"model {model!r} has no pad token, which batches need; name one in its tokenizer_config.json "
            "(pad_token), one that no text holds"
        )
    config = transformer.config.get_text_config()
    if config.pad_token_id is None:  # decoders find a text's last token by it
        config.pad_token_id = getattr(tokenizer, "pad_token_id", None)
    settle_padding(model, [tokenizer], read, probe, module.dtype != torch.float32)


class Lengths:
    """Which inputs are cut: those of more tokens than `limit`. `prompt`: what stands before each."""

    def __init__(self, module: Any, limit: int | None, empty: str | tuple[str, str], prompt: str | None) -> None:
        self._module, self._limit, self._prompt = module, limit, prompt
        self._around = 0 if limit is None else self._tokens(empty)

    def cut(self, item: str | tuple[str, str]) -> bool:
        if self._limit is None:
            return False
        # a token holds a byte at the least of what a tokenizer reads: most need not be looked at
        read = "".join(item) if isinstance(item, tuple) else item
        if len(normalize("NFKC", read).encode()) + self._around <= self._limit:
            return False
        return self._tokens(item) > self._limit

    def _tokens(self, item: str | tuple[str, str]) -> int:
        whole = {"text": {"truncation": False, "padding": False}}
        found = self._module.preprocess([item], prompt=self._prompt, processing_kwargs=whole)
        return int(found["input_ids"].numel())
