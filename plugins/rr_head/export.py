"""The head as a model that others can serve: a plain sentence-transformers folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize

from rr_torch import quiet


def export_model(encoder: Any, head: torch.nn.Linear, out: Path) -> None:
    """Writes the encoder's modules, then the head as Dense, then Normalize, into the folder `out`, as safetensors.
    `SentenceTransformer(out).encode(texts)` gives L2-normalised projections, shape (texts, d_out).

    Args:
        encoder: the SentenceTransformer that the head was trained on. A Normalize of its own is left out: a linear
            map without bias keeps directions, and lengths are set at the end. Its prompts go along.
    """
    dense = Dense(head.in_features, head.out_features, bias=False, activation_function=torch.nn.Identity())
    dense.linear.load_state_dict({"weight": head.weight.detach().cpu()})
    kept = [module for module in encoder if not isinstance(module, Normalize)]
    with quiet():
        model = SentenceTransformer(
            modules=[*kept, dense, Normalize()],
            device="cpu",
            prompts=encoder.prompts,
            default_prompt_name=encoder.default_prompt_name,
        )
        model.save(str(out), create_model_card=False, safe_serialization=True)
