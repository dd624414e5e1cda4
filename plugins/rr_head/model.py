"""The linear head on a frozen sentence encoder: made, saved, loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from safetensors.torch import load_file, save_file
from torch import Tensor

from rr import RerankError
from rr.modeling.device import seeded
from rr.modeling.encoding import EncoderSettings

WEIGHTS = "head.safetensors"
CONFIG = "head.json"


class HeadSettings(EncoderSettings):
    dimensions: int = Field(256, gt=0)
    """Of the projected vectors."""
    seed: int = 0
    """Of the head's random initialisation."""


def make_head(settings: HeadSettings, d_in: int, checkpoint: Path | None) -> torch.nn.Linear:
    """The bias-free projection: seeded and random, or as it was trained.

    Raises:
        RerankError: the checkpoint was trained on another encoder, or for other dimensions.
    """
    with seeded(settings.seed):
        head = torch.nn.Linear(d_in, settings.dimensions, bias=False)
        # entries of variance 1/d_out keep lengths and angles, on average, as they were in the encoder's space
        torch.nn.init.normal_(head.weight, std=settings.dimensions**-0.5)
    if checkpoint is None:
        return head
    trained = json.loads((checkpoint / CONFIG).read_text(encoding="utf-8"))
    loaded = _config(settings, d_in)
    if trained != loaded:
        raise RerankError(f"{checkpoint}: trained as {trained}, loaded as {loaded}; train again or change the entry")
    head.load_state_dict(load_file(checkpoint / WEIGHTS))
    return head


def save_head(head: torch.nn.Linear, settings: HeadSettings, out: Path) -> None:
    save_file({"weight": head.weight.detach().cpu().contiguous()}, out / WEIGHTS)
    config = json.dumps(_config(settings, head.in_features), indent=2)
    (out / CONFIG).write_text(config + "\n", encoding="utf-8")


def project(head: torch.nn.Linear, vectors: Tensor) -> Tensor:
    """L2-normalised projections, shape (…, d_out)."""
    return torch.nn.functional.normalize(head(vectors), dim=-1)


def _config(settings: HeadSettings, d_in: int) -> dict[str, Any]:
    return {
        "encoder": settings.weights(),
        "d_in": d_in,
        "d_out": settings.dimensions,
        "max_seq_length": settings.max_seq_length,
    }
