"""The border between this program and the code of plugins: whatever happens beyond it comes back as a `PluginError`.

This one suits a program that runs what it trusts. Where several plugins run in one process, and must not disturb each
other, a stronger one stands in its place: `rr_bench.border`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from rr.errors import PluginError, RerankError, summary
from rr.types import Request

Result = TypeVar("Result")


class Border:
    """What is done around code of a plugin."""

    @contextmanager
    def code(
        self,
        what: str,
        passing: type[BaseException] | tuple[type[BaseException], ...] = RerankError,
        shown: Iterable[Request] = (),
    ) -> Iterator[None]:
        """See `plugin_code`."""
        try:
            yield
        except KeyboardInterrupt:
            raise
        except passing:
            raise
        except BaseException as error:
            raise PluginError(f"{what}: {summary(error)}") from error

    def in_time(self, who: str, call: Callable[[], Result], factor: float) -> Result:
        """See `in_time`."""
        return call()

    def check(self) -> None:
        """
        Raises:
            RerankError: the user has set something that this border cannot understand.
        """


_border = Border()


def guard_with(border: Border) -> None:
    """Puts another border in the place of this one, for the whole process."""
    global _border
    _border = border


def plugin_code(
    what: str,
    passing: type[BaseException] | tuple[type[BaseException], ...] = RerankError,
    shown: Iterable[Request] = (),
) -> AbstractContextManager[None]:
    """The block runs code of a plugin; `what` begins the line that says what broke. `shown`: what it must not change.

    Raises:
        PluginError: it raised anything (`SystemExit` and the like too, which is its cause) but `passing`, which passes
            as it is, and Ctrl-C.
    """
    return _border.code(what, passing, shown)


def in_time(who: str, call: Callable[[], Result], factor: float = 1.0) -> Result:
    """What `call` returns, which runs code of a plugin that may never come to an end; see
    `rr_bench.border.patience`."""
    return _border.in_time(who, call, factor)


def check() -> None:
    """
    Raises:
        RerankError: see `Border.check`.
    """
    _border.check()
