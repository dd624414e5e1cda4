"""The one optimisation loop of the trainable plugins: steps, schedule, clipping, selection on the dev split, and a
state on disk from which a killed training goes on bit by bit as it would have."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from pydantic import Field
from torch import Tensor
from transformers import get_scheduler

from rr.errors import RerankError
from rr.modeling import parallel
from rr.modeling.states import newest_state, save_state
from rr.processes import processes, rank
from rr.protocols import STATE, OnEvent, Settings, TrainingEvent

Item = TypeVar("Item")
Weights = dict[str, Tensor]


class FitSettings(Settings):
    """What every trainer of ours can be told; each has its own defaults."""

    SCHEDULE: ClassVar[str] = "linear"
    """After the warm-up, by its name in transformers."""

    epochs: int = Field(5, gt=0)
    batch_size: int = Field(8, gt=0)
    gradient_accumulation_steps: int = Field(1, gt=0)
    """Batches whose gradients make one step. For a loss that is a mean over items, more of smaller batches make the
    same step in less memory; one with in-batch negatives has fewer of those."""
    lr: float = Field(2e-5, gt=0)
    """Of AdamW, at the end of the warm-up."""
    warmup: float = Field(0.1, ge=0, lt=1)
    """Share of the steps."""
    weight_decay: float = Field(0.01, ge=0)
    max_grad_norm: float = Field(1.0, gt=0)
    """The norm over all trained weights that a gradient is clipped to."""
    eval_steps: int | None = Field(None, gt=0)
    """Steps between two evaluations on the dev split; null: one after each epoch."""
    patience: int | None = Field(None, gt=0)
    """Evaluations in a row without a better one that end the training; null: it never ends early."""
    save_steps: int = Field(100, gt=0)
    """Steps between two states to go on from after a kill."""
    seed: int = 0
    """Of samples, shuffles, dropout and initialisation."""


@dataclass
class _Course:
    """How far the training has come."""

    step: int = 0
    misses: int = 0
    best: float | None = None
    events: list[TrainingEvent] = field(default_factory=list)
    kept: Weights = field(default_factory=dict)


def fit(
    module: torch.nn.Module,
    epochs: Sequence[Sequence[Item]],
    settings: FitSettings,
    loss: Callable[[Sequence[Item]], Tensor],
    quality: Callable[[], float],
    snapshot: Callable[[], Weights],
    on_event: OnEvent,
    out: Path,
    lr_of: Callable[[str], float] | None = None,
) -> Weights:
    """Trains the weights of `module` that require a gradient on each epoch's items, in their order and in batches.

    Args:
        loss: the mean loss of a batch, a scalar with a gradient.
        quality: the dev metric of the module as it is, higher is better; asked in eval mode.
        snapshot: a copy of what is to be kept.
        out: states are kept in `out / "state"`; where there is one, the training goes on from it.
        lr_of: by the name of a weight, its learning rate; None: `settings.lr` for all.

    Returns:
        The snapshot of the evaluation with the best quality, the earliest of equals.

    Raises:
        RerankError: there are no items, or all states found are damaged.
    """
    named = [(name, parameter) for name, parameter in module.named_parameters() if parameter.requires_grad]
    trained = [parameter for _, parameter in named]
    rates: dict[float, list[Tensor]] = {}
    for name, parameter in named:
        rates.setdefault(lr_of(name) if lr_of else settings.lr, []).append(parameter)
    size = settings.batch_size * settings.gradient_accumulation_steps
    steps = [(items, start) for items in epochs for start in range(0, len(items), size)]
    ends = set(accumulate(-(-len(items) // size) for items in epochs))
    total = len(steps)
    if not total:
        raise RerankError("there is nothing to train on: every epoch is empty")
    groups = [{"params": parameters, "peak": rate} for rate, parameters in rates.items()]
    optimizer = torch.optim.AdamW(groups, lr=settings.lr, weight_decay=settings.weight_decay, fused=True)
    # taken as a function of the step, a schedule has no state that could be lost
    factor = get_scheduler(settings.SCHEDULE, optimizer, int(settings.warmup * total), total).lr_lambdas[0]
    course = _resumed(out / STATE, trained, optimizer)
    for event in course.events:
        on_event(event)

    def tell(event: TrainingEvent) -> None:
        course.events.append(event)
        on_event(event)

    module.train()
    while course.step < total and (settings.patience is None or course.misses < settings.patience):
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * factor(course.step)
        items, start = steps[course.step]
        value = _backward(items[start : start + size], settings.batch_size, loss, trained)
        torch.nn.utils.clip_grad_norm_(trained, settings.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        course.step += 1
        tell(TrainingEvent(course.step, total, loss=value))
        due = course.step % settings.eval_steps == 0 if settings.eval_steps else course.step in ends
        if due or course.step == total:
            module.eval()
            reached = quality()
            module.train()
            tell(TrainingEvent(course.step, total, dev=reached))
            course.misses += 1
            if course.best is None or reached > course.best:
                course.best, course.kept, course.misses = reached, snapshot(), 0
        if course.step % settings.save_steps == 0 and course.step < total:
            _save(out / STATE, course, trained, optimizer)
    module.eval()
    return course.kept


def _backward(
    items: Sequence[Item], batch: int, loss: Callable[[Sequence[Item]], Tensor], trained: Sequence[Tensor]
) -> float:
    """Leaves the gradient of the mean loss over `items` in the weights, and gives that loss."""
    mine = items[rank() :: processes()]
    value = torch.zeros((), device=trained[0].device)
    for start in range(0, len(mine), batch):
        part = mine[start : start + batch]
        share = loss(part) * (len(part) / len(items))
        share.backward()  # type: ignore[no-untyped-call]
        value += share.detach()
    if processes() > 1:
        for weight in trained:
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
        parallel.add_up([value, *(weight.grad for weight in trained if weight.grad is not None)])
    return value.item()


def _save(folder: Path, course: _Course, trained: Sequence[Tensor], optimizer: torch.optim.Optimizer) -> None:
    tensors = {f"weight.{number}": weight.detach() for number, weight in enumerate(trained)}
    for number, weight in enumerate(trained):
        tensors.update({f"optimizer.{number}.{name}": value for name, value in optimizer.state[weight].items()})
    tensors.update({f"kept.{name}": value for name, value in course.kept.items()})
    for process, state in enumerate(parallel.gathered(torch.get_rng_state())):
        tensors[f"random.{process}"] = state
    if torch.cuda.is_available():
        for process, state in enumerate(parallel.gathered(torch.cuda.get_rng_state())):
            tensors[f"random.cuda.{process}"] = state
    facts = {
        "step": course.step,
        "misses": course.misses,
        "best": course.best,
        "events": [asdict(event) for event in course.events],
    }
    if rank() == 0:
        save_state(folder, course.step, tensors, facts)


def _resumed(folder: Path, trained: Sequence[Tensor], optimizer: torch.optim.Optimizer) -> _Course:
    """The course that the newest state tells, with weights, optimiser and randomness set to it."""
    found = newest_state(folder)
    if found is None:
        return _Course()
    tensors, facts, damaged = found
    for path in damaged:
        warnings.warn(f"{path} is damaged; going on from the state before it", stacklevel=2)
    with torch.no_grad():
        for number, weight in enumerate(trained):
            weight.copy_(tensors[f"weight.{number}"])
            prefix = f"optimizer.{number}."
            moments = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
            optimizer.state[weight] = {name: tensor.to(weight.device) for name, tensor in moments.items()}
    # on more processes or on another device than before, dropout is another; everything else goes on as it was
    if (state := tensors.get(f"random.{rank()}")) is not None:
        torch.set_rng_state(state)
    if torch.cuda.is_available() and (state := tensors.get(f"random.cuda.{rank()}")) is not None:
        torch.cuda.set_rng_state(state)
    events = [TrainingEvent(**event) for event in facts["events"]]
    kept = {name.removeprefix("kept."): tensor for name, tensor in tensors.items() if name.startswith("kept.")}
    return _Course(facts["step"], facts["misses"], facts["best"], events, kept)


def copied(state: dict[str, Any]) -> Weights:
    """A copy of a state dict that further training does not change."""
    return {name: value.detach().clone() for name, value in state.items()}
