"""How long work tells how far it is. The evaluator only counts; who shows it is the caller's choice."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext


class Progress:
    """Says nothing; whoever shows something overrides it."""

    def task(self, description: str, total: int | None) -> AbstractContextManager[Callable[[int], None]]:
        """A piece of work of `total` units (None: unknown); the function given back counts units done."""
        return nullcontext(lambda units: None)

    def status(self, text: str) -> None:
        """How the piece of work that goes on is doing, in a few words."""


def clock(seconds: float) -> str:
    """`0:41`, `12:05`, `1:02:09`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


SILENT = Progress()
