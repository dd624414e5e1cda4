"""Progress within a part: what of its documents is scored, told as the queries that they amount to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rr.progress import SCORED
from rr.types import Request


class Moving:
    """Tells `advance` of queries, each once, however often a scorer reads a document."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self._advance = advance
        self._told = 0

    @contextmanager
    def through(self, requests: Sequence[Request], listwise: bool) -> Iterator[None]:
        """While the block scores these requests. A scorer that tells nothing moves when the part is done."""
        total = len(requests) if listwise else sum(len(request.candidates) for request in requests)
        done = 0

        def scored(more: int) -> None:
            nonlocal done
            done = min(done + more, total)
            reached = len(requests) * done // max(total, 1)
            if reached > self._told:
                self._advance(reached - self._told)
                self._told = reached

        token = SCORED.set(scored)
        try:
            yield
        finally:
            SCORED.reset(token)

    def finish(self, queries: int) -> None:
        """The part is done, which had so many."""
        self._advance(queries - self._told)
        self._told = 0
