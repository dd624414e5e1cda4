"""The items of each step, prepared (tokenised, say) in this process or ahead of it in others."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils.data import DataLoader

from rr.errors import RerankError

Prepared = Callable[[int], Sequence[Any]]
"""The items of a step; without randomness."""


def feed(steps: range, prepared: Prepared, workers: int) -> Generator[Sequence[Any]]:
    """The items of each step, in order; with `workers` above 0 by so many processes."""
    if workers == 0:
        yield from map(prepared, steps)
        return
    loader: DataLoader[Any] = DataLoader(
        _Steps(steps, prepared),  # type: ignore[arg-type]
        batch_size=None,
        num_workers=workers,
        worker_init_fn=_in_a_worker,
        multiprocessing_context="fork",  # a model's tokenizer and its data are there without being copied
        generator=torch.Generator(),  # or it would draw from the training's
    )
    for items in loader:
        if isinstance(items, RerankError):
            raise items
        yield items


@contextmanager
def crashes_in_one_line() -> Iterator[None]:
    """torch tells that a worker died wherever its main process happens to be.

    Raises:
        RerankError: a worker died.
    """
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise RerankError(
            "a process that prepared batches died (for want of memory, often); set dataloader_num_workers: 0"
        ) from error


class _Steps:
    def __init__(self, steps: range, prepared: Prepared) -> None:
        self._steps, self._prepared = steps, prepared

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, number: int) -> Sequence[Any] | RerankError:
        try:
            return self._prepared(self._steps[number])
        except RerankError as error:
            return error  # raised, it would arrive with a worker's traceback in its message


def _in_a_worker(_: int) -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # its threads do not survive a fork
