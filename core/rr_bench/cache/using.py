"""Whoever works with what is kept says so, and nothing of it is taken away meanwhile. The system takes a claim away
from the dead."""

from __future__ import annotations

import fcntl
import functools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

from rr.errors import RerankError
from rr.files import home

P = ParamSpec("P")
R = TypeVar("R")
LOCK = "in-use.lock"
_for_good = ExitStack()


def using_home(work: Callable[P, R]) -> Callable[P, R]:
    """A piece of work during which `rr cache clean` takes nothing away."""

    @functools.wraps(work)
    def run(*arguments: P.args, **named: P.kwargs) -> R:
        with _claimed(fcntl.LOCK_SH):
            return work(*arguments, **named)

    return run


def used_from_now_on() -> None:
    """As `using_home`, until this process ends."""
    _for_good.enter_context(_claimed(fcntl.LOCK_SH))


@contextmanager
def alone_at_home() -> Iterator[None]:
    """Nobody works with what is kept while the block goes on: who begins now waits for its end.

    Raises:
        RerankError: somebody does now.
    """
    try:
        with _claimed(fcntl.LOCK_EX | fcntl.LOCK_NB):
            yield
    except BlockingIOError as error:
        raise RerankError(f"a running rr uses {home()}: nothing was taken away; wait for its end") from error


@contextmanager
def _claimed(how: int) -> Iterator[None]:
    path = home() / "locks" / LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    with _opened(path) as handle:
        with suppress(*([] if how & fcntl.LOCK_NB else [OSError])):  # a file system without locks stops no work
            fcntl.flock(handle, how)
        yield


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        yield handle
    finally:
        os.close(handle)
