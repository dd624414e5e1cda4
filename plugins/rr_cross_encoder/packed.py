"""Pairs one behind the other in a single row: no padding is computed, and each pair attends to itself alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions

from rr.modeling.packed import Packed, can_pack, positions
from rr_cross_encoder.short import ShortEncoder

Encoded = dict[str, list[int]]
"""`input_ids` and whatever else the model takes for one pair, not padded."""


def can_pack_pairs(model: Any) -> bool:
    """Whether the model is an encoder whose classifier reads the first token of what its layers give."""
    return can_pack(model) and hasattr(model.base_model, "encoder") and hasattr(model.base_model, "embeddings")


def packed_logits(model: Any, rows: Sequence[Encoded], short: ShortEncoder | None = None) -> Tensor:
    """Shape (rows,), float32. The model must expect packed rows (`rr.modeling.packed.pack`). `short`: read the layers
    by this, without gradients and dropout.

    Poolers and classifiers read `states[:, 0]`; so the first token of each pair is handed to them as a batch of its
    own, (rows, 1, width), in place of the packed row, (1, tokens, width).
    """
    lengths = [len(row["input_ids"]) for row in rows]
    inputs = {name: torch.tensor([[id_ for row in rows for id_ in row[name]]]) for name in rows[0]}
    inputs.pop("attention_mask", None)
    # RoBERTa counts positions from behind its padding's
    first = getattr(model.base_model.embeddings, "padding_idx", None)
    offset = 0 if first is None else first + 1
    places = positions(lengths, [offset] * len(lengths))[None]
    starts = torch.tensor([0, *lengths[:-1]]).cumsum(0)
    encoder = model.base_model.encoder
    layers = encoder.forward

    def first_tokens(states: Tensor, *arguments: Any, **options: Any) -> BaseModelOutputWithPastAndCrossAttentions:
        if short is not None:
            read = short(states[0], lengths, starts)
        else:
            read = layers(states, *arguments, **options).last_hidden_state[0, starts]
        return BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=read[:, None])

    encoder.forward = first_tokens
    try:
        logits = model(**inputs, position_ids=places, packed=Packed(lengths)).logits
    finally:
        del encoder.forward
    return logits[:, 0].float()  # type: ignore[no-any-return]
