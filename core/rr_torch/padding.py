"""Padding must change no answer: the side that a tokenizer pads on, checked when a model is loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from rr.errors import RerankError

Item = TypeVar("Item")
OTHER = {"left": "right", "right": "left"}
TOLERANCE, HALF = 1e-3, 0.1
"""Of an answer, relative to the largest, and of one in half precision."""


@torch.inference_mode()
def settle_padding(
    model: str,
    tokenizers: Sequence[Any],
    read: Callable[[Sequence[Item]], Tensor],
    probe: Sequence[Item],
    half: bool = False,
) -> None:
    """Leaves the tokenizers padding on a side on which a batch gives what its items give alone: their own, or else the
    other one. Models that count absolute positions (BERT) need the right one, whatever their folder says.

    Args:
        model: its name, for the error.
        read: the answers to a batch, (items, …).
        probe: items of different lengths.
        half: whether the model computes in half precision.

    Raises:
        RerankError: there is no such side.
    """
    own = [tokenizer.padding_side for tokenizer in tokenizers]
    if _padding_is_unseen(read, probe, HALF if half else TOLERANCE):
        return
    for tokenizer, side in zip(tokenizers, own, strict=True):
        tokenizer.padding_side = OTHER[side]
    if not _padding_is_unseen(read, probe, HALF if half else TOLERANCE):
        raise RerankError(
            f"model {model!r} answers otherwise when a text is padded, on either side; its tokenizer's pad token is "
            "not the model's pad_token_id, probably: correct its config.json"
        )


def _padding_is_unseen(read: Callable[[Sequence[Item]], Tensor], probe: Sequence[Item], tolerance: float) -> bool:
    alone = torch.cat([read([item]) for item in probe])
    return torch.allclose(read(list(probe)), alone, rtol=0, atol=tolerance * max(1.0, alone.abs().max().item()))
