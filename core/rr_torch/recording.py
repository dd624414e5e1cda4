"""What a training tells besides its loss: figures of steps, fixed samples in eval mode, how far weights have moved."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor

from rr.types import Dataset
from rr_torch.memory import no_room, out_of_memory

SAMPLED = 1 << 14
"""Entries of a weight that its movement is told from, evenly spread: a copy of all would take a model's size."""
LEAST_NORM = 1e-3
"""An entry's root mean square that a movement is a share of where the start is smaller (LoRA's B starts at 0)."""
PROBED = 64
"""Samples of a probe, at most."""
SHARE, LEAST = 0.015, 8
"""Of a training's work that its probes may take, with at least so many samples a split."""


@dataclass(frozen=True, slots=True)
class BatchLoss:
    """`value`: the mean loss of a batch, a scalar with a gradient. `chance`: what it is where all scores are equal.
    `truncated`: the share of texts that were cut. `places`: of answers, where they stood among the candidates."""

    value: Tensor
    chance: float
    truncated: float | None = None
    places: Sequence[int] = ()


@dataclass
class StepFigures:
    """The figures of one step, gathered over the parts that it is computed in."""

    chance: float = 0.0
    truncated: float | None = None
    places: Counter[int] = field(default_factory=Counter)
    seen: float = 0.0

    def add(self, told: BatchLoss, weight: float) -> None:
        self.seen += weight
        self.chance += weight * told.chance
        if told.truncated is not None:
            self.truncated = (self.truncated or 0.0) + weight * told.truncated
        self.places.update(told.places)

    def figures(self) -> dict[str, float]:
        found = {"chance": self.chance / self.seen} if self.seen else {}
        if self.truncated is not None:
            found["truncated"] = self.truncated / self.seen
        return found | {f"place {place}": float(count) for place, count in sorted(self.places.items())}


class Movement:
    """How far weights are from where they were when this was made."""

    def __init__(self, named: Sequence[tuple[str, Tensor]]) -> None:
        parts = [_parts(name) for name, _ in named]
        common = next((n for n, same in enumerate(zip(*parts, strict=False)) if len(set(same)) > 1), len(min(parts)))
        self._weights = [(*part[common : common + 1], "")[0] for part in parts], [weight for _, weight in named]
        self._start = [_sampled(weight) for _, weight in named]

    def figures(self) -> dict[str, float]:
        """`moved`, and `moved GROUP` where there are several groups."""
        moved: dict[str, float] = defaultdict(float)
        norms: dict[str, float] = defaultdict(float)
        for group, weight, start in zip(*self._weights, self._start, strict=True):
            scale = weight.numel() / max(start.numel(), 1)
            for key in {"moved", f"moved {group}".strip()}:
                moved[key] += scale * float((_sampled(weight) - start).square().sum())
                norms[key] += scale * max(float(start.square().sum()), LEAST_NORM**2 * start.numel())
        named = moved if len(moved) > 2 else ["moved"]  # one group is all
        return {key: math.sqrt(moved[key] / norms[key]) for key in named if norms[key]}


def _parts(name: str) -> list[str]:
    """Of a weight's name, without numbers and without what every one ends in."""
    return [part for part in name.split(".")[:-1] if not part.isdigit()]


def _sampled(weight: Tensor) -> Tensor:
    flat = (weight.full_tensor() if isinstance(weight, DTensor) else weight).detach().reshape(-1)
    return flat[:: max(flat.numel() // SAMPLED, 1)].to("cpu", torch.float64, copy=True)


Probes = Mapping[str, Sequence[Any]]
"""Split → some of its samples, always the same."""


def as_train(dataset: Dataset, split: str) -> Dataset:
    """The data set with this split in the place of train: what draws samples of train then draws a probe of it."""
    return replace(dataset, splits={**dataset.splits, "train": dataset.splits[split]})


def within_budget(probes: Probes, items: int, evaluations: int) -> dict[str, Sequence[Any]]:
    """As many of each probe as cost `SHARE` of a training on `items`, each of which is three forward passes."""
    affordable = SHARE * 3 * items / max((evaluations + 1) * len(probes), 1)
    size = min(max(int(affordable), LEAST), PROBED)
    return {split: samples[:size] for split, samples in probes.items()}


@torch.no_grad()
def probed(
    probes: Probes, batch: int, loss: Callable[[Sequence[Any]], Tensor | BatchLoss], divisible: bool
) -> dict[str, float]:
    """`probe_SPLIT` and `probe_SPLIT chance` of each, `batch` samples at a time, or fewer where memory ends and the
    loss is `divisible`. The module must be in eval mode.

    Raises:
        RerankError: there is too little memory.
    """
    while True:
        try:
            return {name: figure for split, one in probes.items() for name, figure in _probed(split, one, batch, loss)}
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            if not divisible or batch == 1:
                raise no_room(batch, divisible) from error
        batch //= 2  # outside of the handler, which keeps alive what the failed attempt had allocated


def _probed(
    split: str, samples: Sequence[Any], batch: int, loss: Callable[[Sequence[Any]], Tensor | BatchLoss]
) -> Iterator[tuple[str, float]]:
    value, chance = 0.0, 0.0
    for start in range(0, len(samples), batch):
        part = samples[start : start + batch]
        told, share = loss(part), len(part) / len(samples)
        if isinstance(told, BatchLoss):
            chance += share * told.chance
            told = told.value
        value += share * float(told)
    if samples:
        yield f"probe_{split}", value
    if chance:
        yield f"probe_{split} chance", chance
