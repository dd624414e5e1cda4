"""What the model cards of pretrained bases have in common."""

from __future__ import annotations

import platform
from pathlib import Path

import tokenizers
import torch
import transformers

from rr.files import file_sha256


def made_with(folder: Path) -> dict[str, str]:
    """Releases and machine that made the model in a folder, and the hash of its weights, by their names in a card."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "tokenizers": tokenizers.__version__,
        "machine": platform.machine(),
        "sha256": file_sha256(folder / "model.safetensors"),
    }
