"""Loading pretrained models without their libraries' own chatter."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import PreTrainedModel
from transformers.utils import logging

from rr.errors import NoNumberError, RerankError
from rr_torch.source import weights_folder


@contextmanager
def quiet() -> Iterator[None]:
    """Silences transformers' progress bars and its warning about weights that a checkpoint does not have; who loads
    a model under this must look at the missing weights itself and say so."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            # transformers and peft deprecate each other's calls; no user of ours can mend that
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def check_safetensors(model: str) -> None:
    """
    Raises:
        RerankError: the model's folder has no weights in safetensors files; pickled ones are never read.
    """
    folder = weights_folder(model)
    if folder is not None and next(folder.rglob("*.safetensors"), None) is None:
        raise RerankError(
            f"model {model!r} has no weights in safetensors files, and others can run code when they are read; "
            "save it with save_pretrained, which writes them"
        )


def check_finite(model: str, module: torch.nn.Module) -> None:
    """
    Raises:
        NoNumberError: a weight holds NaN or infinity.
    """
    for name, weight in module.named_parameters():
        if weight.is_floating_point() and not torch.isfinite(weight.detach().sum(dtype=torch.float64)):
            raise NoNumberError(f"model {model!r}: its weight {name} holds NaN or infinity; get a whole copy of it")


def weights_not_in(folder: Path, module: torch.nn.Module) -> list[str]:
    """The parameters of `module` that no safetensors file under `folder` holds. For libraries that load a model and do
    not say which of its weights they drew at random.

    A name counts behind a prefix, too. Where some are not there, transformers is asked: it knows the older names of
    weights (LayerNorm.gamma) and those that it makes of others.
    """
    stored: set[str] = set()
    for file in folder.rglob("*.safetensors"):
        with safe_open(file, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118 - not a dict: it cannot be iterated
                parts = name.split(".")
                stored |= {".".join(parts[start:]) for start in range(len(parts))}
    missing = [name for name, _ in module.named_parameters() if name not in stored]
    if missing and isinstance(module, PreTrainedModel):
        places = sorted({file.parent for file in folder.rglob("*.safetensors")})
        asked = [_missing(type(module), place) for place in places if _is_transformers(place)]
        fewest = min(asked, key=len, default=set(missing))
        missing = [name for name, _ in module.named_parameters() if name in fewest]
    return missing


def _missing(kind: type[PreTrainedModel], place: Path) -> set[str]:
    """What transformers itself finds missing when it loads this model from this folder."""
    with quiet():
        _, loading = kind.from_pretrained(place, use_safetensors=True, output_loading_info=True)
    return set(loading["missing_keys"])


def _is_transformers(place: Path) -> bool:
    config = place / "config.json"
    return config.is_file() and "model_type" in json.loads(config.read_text(encoding="utf-8"))


def whole_folder(model: str, modules: Iterable[torch.nn.Module]) -> Path:
    """The folder with the model's files.

    Raises:
        RerankError: some weights that a text's vectors depend on are not in them.
    """
    folder = weights_folder(model)
    if folder is None:
        raise RerankError(f"model {model!r}: its files cannot be found to check that they are whole")
    # a pooler is no part of CLS or mean pooling; models are often published without it
    missing = [name for module in modules for name in weights_not_in(folder, module) if "pooler" not in name]
    if missing:
        raise RerankError(
            f"model {model!r} lacks weights (in safetensors files): {', '.join(missing[:5])}; get a whole copy of it"
        )
    return folder


def check_length(model: Any, max_seq_length: int, tokenizer: Any = None) -> None:
    """
    Args:
        tokenizer: whose own limit counts, too; None: it does not.

    Raises:
        RerankError: the model reads fewer tokens than `max_seq_length`.
    """
    limit = min(readable_tokens(model), math.inf if tokenizer is None else tokenizer.model_max_length)
    if max_seq_length > limit:
        raise RerankError(f"max_seq_length {max_seq_length} is more than the {limit} tokens the model can read")


def readable_tokens(model: Any) -> float:
    """The tokens that a transformers model has positions for; inf: it counts none, or without end."""
    embeddings = getattr(model.base_model, "embeddings", None)
    table = getattr(embeddings, "position_embeddings", None)
    if isinstance(table, torch.nn.Embedding):
        # RoBERTa counts positions from behind its padding's: 514 are 512 tokens
        padding = getattr(embeddings, "padding_idx", None)
        return table.num_embeddings - (0 if padding is None else padding + 1)
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return positions if isinstance(positions, int) and positions > 0 else math.inf
