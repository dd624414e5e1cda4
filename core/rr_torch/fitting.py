"""The one optimisation loop of the trainable plugins: steps, schedule, clipping, selection on the dev split, batches
that are halved where memory ends, and a state on disk from which a killed training goes on bit by bit as it would have.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor
from transformers import get_scheduler

from rr.errors import NoNumberError, RerankError
from rr.protocols import STATE, OnEvent, TrainingEvent
from rr.training.processes import processes, rank
from rr_torch import parallel
from rr_torch.best import Weights
from rr_torch.course import Course, begun
from rr_torch.feeding import crashes_in_one_line, feed
from rr_torch.memory import no_room, out_of_memory
from rr_torch.precision import Precision
from rr_torch.recording import BatchLoss, Movement, StepFigures, probed, within_budget
from rr_torch.settings import FitSettings
from rr_torch.sharding import alike, clip, shard

Item = TypeVar("Item")
NO_NUMBER = "the loss is no number any more: the weights have gone beyond what numbers hold; lower the learning rate"
NO_NUMBER_YET = (
    "the loss is no number before the first step: it is the base model, or the number format that it is loaded in, and "
    "no learning rate mends it; look for NaN in its weights"
)


def fit(
    module: torch.nn.Module,
    epochs: Sequence[Sequence[Item]],
    settings: FitSettings,
    loss: Callable[[Sequence[Any]], Tensor | BatchLoss],
    quality: Callable[[], float],
    snapshot: Callable[[], Weights],
    on_event: OnEvent,
    out: Path,
    *,
    prepare: Callable[[Sequence[Item]], Sequence[Any]] = list,
    workers: int = 0,
    precision: Precision = Precision(),  # noqa: B008 - it is frozen
    divisible: bool = True,
    together: bool = False,
    lr_of: Callable[[str], float] | None = None,
    probes: Mapping[str, Sequence[Item]] = MappingProxyType({}),
    told: Callable[[], Mapping[str, float]] = dict,
    on_save: Callable[[int], None] | None = None,
) -> Weights:
    """Trains the weights of `module` that require a gradient on each epoch's items, in their order and in batches.

    Args:
        loss: the mean loss of a batch of prepared items, a scalar with a gradient; or that with its chance level.
        quality: the dev metric of the module as it is, the one that `settings.selects_by()` names, higher is better;
            asked in eval mode.
        snapshot: what is to be kept, as it is: it is written to the disk at once.
        out: states and best weights are kept in `out / "state"`; where there is a state, the training goes on from it.
        prepare: what can be done to items without the weights, in `workers` processes of its own if there are any.
        divisible: the loss of a batch is the mean of its items' own. A batch for which memory does not suffice is
            then halved, from there on, and its step made of twice as many.
        together: of several processes that train together, each is given the whole of a batch, and computes its loss
            from what it shares with the others by `rr_torch.joined`; else a share of it.
        lr_of: by the name of a weight, its learning rate; None: `settings.lr` for all.
        probes: of a split (train, dev), samples drawn once, whose loss is told at every evaluation: that of a step is
            of samples drawn anew, with dropout, and decides nothing. As many are used as the time allows.
        told: gives more figures of the start, as the events' have them.
        on_save: called with the step before a state is saved, in every process.

    Returns:
        The snapshot of the evaluation with the best quality, the earliest of equals: mapped from a file in `out`, which
        must be there as long as they are used; in all but the first of several processes a copy. They are whole, even
        where the module is sharded (`rr_torch.restore` sets them).

    Raises:
        RerankError: there are no items, all is frozen, the warm-up never ends, all states found are damaged, a worker
            died, or there is too little memory for a batch that cannot be halved.
        NoNumberError: the loss is NaN or infinite.
        PluginError: another one of several processes has ended.
    """
    parallel.check_launch(precision.dtype)
    parallel.from_first([parameter for parameter in module.parameters() if parameter.requires_grad])
    sharded = shard(module, next(module.parameters()).device)
    if sharded and precision.dtype == torch.float16:
        raise RerankError("fp16 scales its gradients, which cannot be sharded here; set bf16: true in its place")
    named = [(name, parameter) for name, parameter in module.named_parameters() if parameter.requires_grad]
    trained = [parameter for _, parameter in named]
    if not named:
        on_event(TrainingEvent(0, 0, trained=0))
        raise RerankError("there is nothing to train: no weight requires a gradient; freeze less")
    rates: dict[float, list[Tensor]] = {}
    for name, parameter in named:
        rates.setdefault(lr_of(name) if lr_of else settings.lr, []).append(parameter)
    size = settings.batch_size * settings.gradient_accumulation_steps
    steps = [(epoch, items, start) for epoch, items in enumerate(epochs, 1) for start in range(0, len(items), size)][
        : settings.max_steps
    ]
    ends = set(accumulate(-(-len(items) // size) for items in epochs))
    total = len(steps)
    if not total:
        raise RerankError("there is nothing to train on: every epoch is empty")
    every = evaluation_steps(settings, total)
    groups = [{"params": some, "peak": rate} for rate, parameters in rates.items() for some in alike(parameters)]
    optimizer = torch.optim.AdamW(groups, lr=settings.lr, weight_decay=settings.weight_decay, fused=True)
    scaler = precision.scaler()
    # taken as a function of the step, a schedule has no state that could be lost
    factor = get_scheduler(settings.SCHEDULE, optimizer, _warmup_steps(settings, total), total).lr_lambdas[0]
    movement = Movement(named) if settings.record else None
    course = begun(out / STATE, settings.batch_size, trained, optimizer, scaler)
    for event in course.events:
        on_event(event)

    def tell(event: TrainingEvent) -> None:
        course.events.append(event)
        on_event(event)

    def share(step: int) -> Sequence[Any]:
        """The items of a step that this one of several processes computes."""
        _, items, start = steps[step]
        taken = items[start : start + size]
        if together:
            return prepare(taken)
        # of sharded weights every process must make a pass, if only for nothing
        return prepare(taken[rank() :: processes()] or (taken[:1] if sharded else []))

    def backward(items: Sequence[Any], weight: float, figures: StepFigures) -> Tensor:
        """Adds to the gradient that of these items' mean loss times `weight`, and gives the latter."""
        with precision.autocast():
            answer = loss(items)
        value = (answer.value if isinstance(answer, BatchLoss) else answer) * weight
        scaler.scale(value).backward()  # type: ignore[no-untyped-call]
        if isinstance(answer, BatchLoss) and weight:
            figures.add(answer, weight)
        return value.detach()

    course_items = sum(min(size, len(items) - start) for _, items, start in steps)
    fixed = dict(probes) if settings.record else {}
    if divisible:  # else it is asked about a whole batch, for which the samples are few anyway
        fixed = within_budget(fixed, course_items, total // every if every else len(ends))
    fixed = {split: prepare(samples) for split, samples in fixed.items()}

    def evaluate(more: Callable[[], Mapping[str, float]] = dict) -> float:
        """Tells the module as it is: its dev metric, which is given back, the losses of the probes, and `more`."""
        module.eval()
        with precision.autocast():
            figures = probed(fixed, course.batch, loss, divisible)
            if not all(map(math.isfinite, figures.values())):
                tell(TrainingEvent(course.step, total, figures=figures))
                raise NoNumberError(NO_NUMBER if course.step else NO_NUMBER_YET)
            figures = {**more(), **figures}
            # rounding may differ from one machine to another, and all must find the same evaluation the best
            reached: float = parallel.told(quality())
        module.train()
        moved = movement.figures() if movement else {}
        told = {**figures, **moved}
        tell(TrainingEvent(course.step, total, dev=reached, metric=settings.selects_by(), figures=told))
        return reached

    changed: set[int] = set()  # numbers of weights that a gradient has reached; the optimiser skips the others
    if settings.record and not course.events:
        evaluate(told)
    module.train()
    with (
        closing(feed(range(course.step, total), share, workers)) as batches,
        crashes_in_one_line(),
        parallel.lost_in_one_line(),
    ):
        while course.step < total and (settings.patience is None or course.misses < settings.patience):
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * factor(course.step)
            epoch, items, start = steps[course.step]
            taken = min(size, len(items) - start)
            parts = _Parts(next(batches), taken, together, sharded)
            value, of_step = _gradient(parts, course, backward, trained, divisible and not sharded)
            changed.update(number for number, weight in enumerate(trained) if weight.grad is not None)
            scaler.unscale_(optimizer)
            norm = clip(trained, settings.max_grad_norm)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            course.step += 1
            count = sum(trained[number].numel() for number in changed)
            rate = max(group["lr"] for group in optimizer.param_groups)
            figures = {"epoch": float(epoch), "items": float(taken), "lr": rate, **of_step}
            if math.isfinite(norm):  # else float16's scaler leaves the step out
                figures["gradient_norm"] = norm
            tell(TrainingEvent(course.step, total, loss=value, trained=count, figures=figures))
            due = course.step % every == 0 if every else course.step in ends
            if due or course.step == total:
                reached = evaluate()
                course.misses += 1
                if course.best is None or reached > course.best:
                    course.best, course.misses = reached, 0
                    course.kept.keep(course.step, snapshot())
            if course.step % settings.save_steps == 0 and course.step < total:
                if on_save:
                    on_save(course.step)
                course.save(out / STATE, trained, optimizer, scaler)
    module.eval()
    return course.kept.weights()


def evaluation_steps(settings: FitSettings, total: int) -> int | None:
    """Steps between two evaluations of a training of `total` steps; None: one after each epoch."""
    if settings.evaluations is None:
        return settings.eval_steps
    return max(min(settings.eval_steps or total, total // settings.evaluations), 1)


def _warmup_steps(settings: FitSettings, total: int) -> int:
    if settings.warmup_steps is None:
        return int(settings.warmup * total)
    if settings.warmup_steps >= total:
        raise RerankError(f"warmup_steps {settings.warmup_steps}: the training has {total} steps; lower it")
    return settings.warmup_steps


@dataclass(frozen=True)
class _Parts:
    """What one process computes of a step. `items`: its own, or everyone's (`together`); `size`: how many in all."""

    items: Sequence[Any]
    size: int
    together: bool
    sharded: bool

    def of(self, batch: int) -> Iterator[tuple[Sequence[Any], float]]:
        """The items of each pass, `batch` of them at most, and the weight of their mean loss in the step's."""
        if self.together:
            for start in range(0, self.size, batch):
                part = self.items[start : start + batch]
                yield part, len(part) / self.size / processes()  # all compute the same
            return
        own = len(range(rank(), self.size, processes()))
        for start in range(0, -(-self.size // processes()) if self.sharded else own, batch):
            part = self.items[start : min(start + batch, own)]
            if part:
                yield part, len(part) / self.size
            else:  # the other processes make one more
                yield self.items[:1], 0.0


def _gradient(
    parts: _Parts,
    course: Course,
    backward: Callable[[Sequence[Any], float, StepFigures], Tensor],
    trained: Sequence[Tensor],
    divisible: bool,
) -> tuple[float, dict[str, float]]:
    """Leaves the gradient of the mean loss over a step's items in the weights, and gives that loss with the figures of
    the step.

    Raises:
        RerankError: there is too little memory.
    """
    while True:
        try:
            value, figures = torch.zeros((), device=trained[0].device), StepFigures()
            for part, weight in parts.of(course.batch):
                value += backward(part, weight, figures)
            break
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            batch = min(course.batch, len(parts.items))
            if not divisible or batch == 1:
                raise no_room(batch, divisible) from error
        # outside of the handler, which keeps alive what the failed attempt had allocated
        for one in trained:
            one.grad = None
        torch.cuda.empty_cache()
        course.batch = batch // 2
        warnings.warn(
            f"out of memory at step {course.step + 1} with a batch of {batch}: from here on {course.batch} at a time, "
            "and more of them for the same step",
            stacklevel=2,
        )
    if processes() > 1:
        for one in trained:
            if one.grad is None:
                one.grad = torch.zeros_like(one)
        summed = [one.grad for one in trained if one.grad is not None and not isinstance(one, DTensor)]
        parallel.add_up([value, *summed])
    return value.item(), figures.figures()


def copied(state: dict[str, Any]) -> Weights:
    """A copy of a state dict that further training does not change, in main memory. For what is small."""
    return {name: value.detach().to("cpu", copy=True) for name, value in state.items()}
