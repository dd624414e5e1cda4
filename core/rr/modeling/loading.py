"""Loading pretrained models without their libraries' own chatter."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers.utils import logging

from rr.errors import RerankError
from rr.modeling.source import weights_folder


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


def weights_not_in(folder: Path, module: torch.nn.Module) -> list[str]:
    """The parameters of `module` that no safetensors file under `folder` holds, under their own name or behind a
    prefix. For libraries that load a model and do not say which of its weights they drew at random."""
    stored: set[str] = set()
    for file in folder.rglob("*.safetensors"):
        with safe_open(file, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118 - not a dict: it cannot be iterated
                parts = name.split(".")
                stored |= {".".join(parts[start:]) for start in range(len(parts))}
    return [name for name, _ in module.named_parameters() if name not in stored]


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


def check_length(config: Any, tokenizer: Any, max_seq_length: int) -> None:
    """
    Raises:
        RerankError: the model has fewer positions than `max_seq_length`.
    """
    positions = min(tokenizer.model_max_length, getattr(config, "max_position_embeddings", math.inf))
    if max_seq_length > positions:
        raise RerankError(f"max_seq_length {max_seq_length} is more than the {positions} tokens the model can read")
