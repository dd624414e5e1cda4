"""Others that may look on while a training goes on: TensorBoard, trackio, Weights & Biases. Off unless asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any

from rr.errors import RerankError, nearest
from rr.protocols import OnEvent, TrainingEvent

Write = Callable[[Mapping[str, float], int], object]
"""Figures of a step."""
PROJECT = "rerank-registry"


@contextmanager
def observers(names: Sequence[str], run: str) -> Iterator[list[OnEvent]]:
    """`run`: what the training is called there.

    Raises:
        RerankError: nobody is called so, or the package is not installed.
    """
    for name in names:
        if name not in OPEN:
            raise RerankError(f"--observe {name}: there is no such observer{nearest(name, list(OPEN))}")
    with ExitStack() as stack:
        yield [_listener(stack.enter_context(OPEN[name](run))) for name in names]


def figures(event: TrainingEvent) -> dict[str, float]:
    """All of an event that is a number."""
    own = {"loss": event.loss, event.metric or "dev": event.dev}
    found = {name: figure for name, figure in {**own, **event.figures}.items() if figure is not None}
    return {name.replace(" ", "_"): figure for name, figure in found.items() if math.isfinite(figure)}


def _listener(write: Write) -> OnEvent:
    def listen(event: TrainingEvent) -> None:
        write(figures(event), event.step)

    return listen


def _module(name: str, needs: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise RerankError(f"--observe {needs} needs {needs}; install with: pip install '{PROJECT}[{needs}]'") from error


@contextmanager
def _tensorboard(run: str) -> Iterator[Write]:
    """Into ./runs/RUN, where `tensorboard --logdir runs` looks."""
    writer = _module("tensorboard.summary", "tensorboard").Writer(f"runs/{run}")

    def write(told: Mapping[str, float], step: int) -> None:
        for name, figure in told.items():
            writer.add_scalar(name, figure, step)

    try:
        yield write
    finally:
        writer.close()


@contextmanager
def _trackio(run: str) -> Iterator[Write]:
    module = _module("trackio", "trackio")
    module.init(project=PROJECT, name=run)
    try:
        yield lambda told, step: module.log(dict(told), step=step)
    finally:
        module.finish()


@contextmanager
def _wandb(run: str) -> Iterator[Write]:
    session = _module("wandb", "wandb").init(project=PROJECT, name=run)
    try:
        yield lambda told, step: session.log(dict(told), step=step)
    finally:
        session.finish()


OPEN = {"tensorboard": _tensorboard, "trackio": _trackio, "wandb": _wandb}
