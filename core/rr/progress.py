"""How long work tells how far it is. The core only counts; who shows it is the caller's choice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol


class Progress(Protocol):
    def task(self, description: str, total: int | None) -> AbstractContextManager[Callable[[int], None]]:
        """A piece of work of `total` units (None: unknown); the function given back counts units done."""
        ...


@dataclass(frozen=True)
class Prefixed:
    """Says before every description what larger piece of work it is part of."""

    progress: Progress
    prefix: str

    def task(self, description: str, total: int | None) -> AbstractContextManager[Callable[[int], None]]:
        return self.progress.task(f"{self.prefix}{description}", total)


class Silent:
    def task(self, description: str, total: int | None) -> AbstractContextManager[Callable[[int], None]]:
        return nullcontext(lambda units: None)


SILENT = Silent()
