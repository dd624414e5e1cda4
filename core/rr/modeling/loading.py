"""Loading pretrained models without their libraries' own chatter."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import safe_open
from transformers.utils import logging


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
