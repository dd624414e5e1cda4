"""The one optimisation loop of the trainable plugins: steps, schedule, clipping, and selection on the dev split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, TypeVar

import torch
from pydantic import Field
from torch import Tensor
from transformers import get_scheduler

from rr.protocols import OnEvent, Settings, TrainingEvent

Item = TypeVar("Item")
Snapshot = TypeVar("Snapshot")


class FitSettings(Settings):
    """What every trainer of ours can be told; each has its own defaults."""

    SCHEDULE: ClassVar[str] = "linear"
    """After the warm-up, by its name in transformers."""

    epochs: int = Field(5, gt=0)
    batch_size: int = Field(8, gt=0)
    lr: float = Field(2e-5, gt=0)
    """Of AdamW, at the end of the warm-up."""
    warmup: float = Field(0.1, ge=0, lt=1)
    """Share of the steps."""
    weight_decay: float = Field(0.01, ge=0)
    max_grad_norm: float = Field(1.0, gt=0)
    """The norm over all trained weights that a gradient is clipped to."""
    seed: int = 0
    """Of samples, shuffles, dropout and initialisation."""


def fit(
    module: torch.nn.Module,
    epochs: Sequence[Sequence[Item]],
    settings: FitSettings,
    loss: Callable[[Sequence[Item]], Tensor],
    quality: Callable[[], float],
    snapshot: Callable[[], Snapshot],
    on_event: OnEvent,
) -> Snapshot:
    """Trains the weights of `module` that require a gradient on each epoch's items, in their order and in batches.

    Args:
        loss: the mean loss of a batch, a scalar with a gradient.
        quality: the dev metric of the module as it is, higher is better; asked after each epoch, in eval mode.
        snapshot: a copy of what is to be kept.

    Returns:
        The snapshot of the epoch with the best quality, the earliest of equals.
    """
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    total = sum(-(-len(items) // settings.batch_size) for items in epochs)
    optimizer = torch.optim.AdamW(trained, lr=settings.lr, weight_decay=settings.weight_decay, fused=True)
    schedule = get_scheduler(settings.SCHEDULE, optimizer, int(settings.warmup * total), total)
    step = 0
    best: tuple[float, Snapshot] | None = None
    for items in epochs:
        module.train()
        for start in range(0, len(items), settings.batch_size):
            value = loss(items[start : start + settings.batch_size])
            value.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(trained, settings.max_grad_norm)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            step += 1
            on_event(TrainingEvent(step, total, loss=value.item()))
        module.eval()
        reached = quality()
        on_event(TrainingEvent(step, total, dev=reached))
        if best is None or reached > best[0]:
            best = (reached, snapshot())
    assert best is not None  # there is at least one epoch
    return best[1]


def copied(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A copy of a state dict that further training does not change."""
    return {name: value.detach().clone() for name, value in state.items()}
