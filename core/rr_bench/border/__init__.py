"""The border to the code of plugins, where several run in one process and none may disturb another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rr.border import Border, Passing
from rr.types import Request
from rr_bench.border.isolation import plugin_code
from rr_bench.border.patience import in_time, limit
from rr_bench.border.untouched import untouched

Result = TypeVar("Result")


class Guarded(Border):
    """Puts back what a plugin changed in the process and in what it was shown, keeps stdout to this program, and gives
    an import up that never ends."""

    @contextmanager
    def code(self, what: str, passing: Passing, shown: Iterable[Request]) -> Iterator[None]:
        with untouched(shown), plugin_code(what, passing):
            yield

    def in_time(self, who: str, call: Callable[[], Result], factor: float) -> Result:
        return in_time(who, call, factor)

    def check(self) -> None:
        limit()
