"""How far a scorer is: whoever computes tells how many (query, document) pairs, or whole lists, are done by now."""

from collections.abc import Callable
from contextvars import ContextVar

SCORED: ContextVar[Callable[[int], None]] = ContextVar("scored", default=lambda done: None)
