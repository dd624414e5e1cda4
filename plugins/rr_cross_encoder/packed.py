"""Pairs one behind the other in a single row: no padding is computed, and each pair attends to itself alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from rr_torch import Layers, ShortEncoder, can_pack, layers_replaced, packed_inputs

Encoded = dict[str, list[int]]
"""`input_ids` and whatever else the model takes for one pair, not padded."""


def can_pack_pairs(model: Any) -> bool:
    """Whether the model is an encoder whose classifier reads the first token of what its layers give."""
    return can_pack(model) and hasattr(model.base_model, "encoder") and hasattr(model.base_model, "embeddings")


def packed_logits(model: Any, rows: Sequence[Encoded], short: ShortEncoder | None = None) -> Tensor:
    """Shape (rows,), float32. The model must expect packed rows (`rr_torch.packed.pack`). `short`: read the layers
    by this, without gradients and dropout.

    Poolers and classifiers read `states[:, 0]`; so the first token of each pair is handed to them as a batch of its
    own, (rows, 1, width), in place of the packed row, (1, tokens, width).
    """
    lengths = [len(row["input_ids"]) for row in rows]
    starts = torch.tensor([0, *lengths[:-1]]).cumsum(0)

    def first_tokens(layers: Layers, embedded: Tensor) -> Tensor:
        read = layers(embedded)[0, starts] if short is None else short(embedded[0], lengths, starts)
        return read[:, None]

    with layers_replaced(model, first_tokens):
        logits = model(**packed_inputs(model, rows)).logits
    return logits[:, 0].float()  # type: ignore[no-any-return]
