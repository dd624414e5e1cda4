"""Packed attention: sequences stand one behind the other in a single row, without padding, each attending to itself.

On a CPU a padded batch loses more by its padding than it wins by its size; a packed one only wins. Works with every
transformers model that calls its attention through `AttentionInterface`:

    pack(model)
    model(input_ids=ids[None], position_ids=positions[None], packed=Packed(lengths))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

NAME = "rr_packed"
OTHER_ATTENTION = ("sliding_window", "softcap", "s_aux", "position_bias")
"""What some architectures ask of their attention, and this one does not do."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Where the sequences of a row are.

    `lengths`: tokens of each, in the order of the row. `prefixes`: for each the span of the key-value cache that it
    continues (start, end), in tokens; None: there is no cache. Only causal models can continue a prefix.
    """

    lengths: Sequence[int]
    prefixes: Sequence[tuple[int, int]] | None = None


def can_pack(model: Any) -> bool:
    """Whether the model lets its attention be replaced, and all of its layers attend to whole sequences: no sliding
    windows or chunks, and no recurrent layers, which would carry one sequence on into the next."""
    config = model.config.get_text_config()
    kinds = getattr(config, "layer_types", None)
    if kinds is None:  # Mistral, Mixtral, Phi-3 and others have one window for all layers
        kinds = [name for name in ("sliding_window", "attention_chunk_size") if getattr(config, name, None) is not None]
    return bool(getattr(model, "_supports_attention_backend", False)) and set(kinds) <= {"full_attention"}


def pack(model: Any) -> None:
    """Makes the model expect `packed=` in each of its calls."""
    model.set_attn_implementation(NAME)


def positions(lengths: Sequence[int], starts: Sequence[int] | None = None) -> Tensor:
    """Position ids of a row, shape (tokens,): each sequence counts from its start, 0 by default."""
    return torch.cat(
        [
            torch.arange(start, start + length)
            for length, start in zip(lengths, starts or [0] * len(lengths), strict=True)
        ]
    )


def packed_inputs(model: Any, sequences: Sequence[Mapping[str, Sequence[int]]]) -> dict[str, Any]:
    """What a packed model is called with to read tokenized sequences in one row, on the CPU. Each sequence is
    `input_ids` and whatever else its tokenizer gives, not padded."""
    lengths = [len(sequence["input_ids"]) for sequence in sequences]
    names = [name for name in sequences[0] if name != "attention_mask"]
    # RoBERTa counts positions from behind its padding's
    padding = getattr(getattr(model.base_model, "embeddings", None), "padding_idx", None)
    first = 0 if padding is None else padding + 1
    return {
        **{name: torch.tensor([[id_ for sequence in sequences for id_ in sequence[name]]]) for name in names},
        "position_ids": positions(lengths, [first] * len(lengths))[None],
        "packed": Packed(lengths),
    }


def packs(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Indices of `lengths` in their order, cut so that the tokens of each pack stay within `budget`. A sequence
    longer than the budget is a pack of its own."""
    cut: list[list[int]] = []
    tokens = 0
    for index, length in enumerate(lengths):
        if not cut or tokens + length > budget:
            cut.append([])
            tokens = 0
        cut[-1].append(index)
        tokens += length
    return cut


def packed_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    packed: Packed,
    scaling: float | None = None,
    dropout: float = 0.0,
    is_causal: bool | None = None,
    **asked: Any,
) -> tuple[Tensor, None]:
    """softmax(q kᵀ · scaling) v, a sequence at a time.

    Args:
        query: (1, heads, tokens, width). `key` and `value`: (1, key heads, cached + tokens, width).

    Returns:
        Shape (1, tokens, heads, width), as transformers expects it.

    Raises:
        ValueError: the model asks for another attention than this one.
    """
    refused = [name for name in OTHER_ATTENTION if asked.get(name) is not None]
    if attention_mask is not None or refused:
        raise ValueError(f"packed attention has no {', '.join(refused) or 'mask'}; this model cannot be packed")
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    grouped = query.shape[1] != key.shape[1]
    # split, not sliced: the gradient of a slice is as long as the row, and there are as many slices as sequences
    rows = zip(*(_split(tensor, packed.lengths) for tensor in (query, key, value)), strict=True)
    outputs = []
    for index, (queries, keys, values) in enumerate(rows):
        mask = None
        if packed.prefixes is not None and packed.prefixes[index][0] < packed.prefixes[index][1]:
            prefix = slice(*packed.prefixes[index])
            keys = torch.cat([key[:, :, prefix], keys], dim=2)
            values = torch.cat([value[:, :, prefix], values], dim=2)
            mask = _continues(queries.shape[2], keys.shape[2], query)
        output = scaled_dot_product_attention(
            queries,
            keys,
            values,
            attn_mask=mask,
            dropout_p=dropout,
            is_causal=causal and mask is None,
            scale=scaling,
            enable_gqa=grouped,
        )
        outputs.append(output.transpose(1, 2))
    return torch.cat(outputs, dim=1), None


def _split(row: Tensor, lengths: Sequence[int]) -> tuple[Tensor, ...]:
    """The sequences of a row of any (1, heads, cached + tokens, width), without what is cached."""
    own = row[:, :, row.shape[2] - sum(lengths) :]
    return torch.split(own, list(lengths), dim=2)


def _continues(length: int, keys: int, like: Tensor) -> Tensor:
    """The additive causal mask of the last `length` of `keys` positions, shape (length, keys)."""
    hidden = torch.full((length, keys), float("-inf"), dtype=like.dtype, device=like.device)
    return hidden.triu(keys - length + 1)


AttentionInterface.register(NAME, packed_attention)
