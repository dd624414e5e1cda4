"""Whoever works with what is kept says so, and nothing of it is taken away meanwhile. The system takes a claim away
from the dead."""

from __future__ import annotations

import errno
import fcntl
import functools
import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import ParamSpec, TypeVar

from rr.errors import RerankError
from rr.files import home

P = ParamSpec("P")
R = TypeVar("R")
LOCK = "in-use.lock"


def using_home(work: Callable[P, R]) -> Callable[P, R]:
    """A piece of work during which `rr cache clean` takes nothing away."""

    @functools.wraps(work)
    def run(*arguments: P.args, **named: P.kwargs) -> R:
        with _claimed(fcntl.LOCK_SH):
            return work(*arguments, **named)

    return run


class Claim:
    """Nothing is taken away as long as anything refers to this."""

    def __init__(self) -> None:
        handle = _taken(fcntl.LOCK_SH)
        if handle is not None:
            weakref.finalize(self, os.close, handle)


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
    handle = _taken(how)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _taken(how: int) -> int | None:
    """The open lock. None: it is a shared one that cannot be had, on a disk that is full or must not be written; that
    keeps nobody from reading."""
    path, alone = home() / "locks" / LOCK, bool(how & fcntl.LOCK_NB)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if alone or error.errno == errno.ELOOP:  # somebody's link stands there
            raise
        return None
    try:
        with suppress(*([] if alone else [OSError])):  # a file system without locks stops no work
            fcntl.flock(handle, how)
    except BaseException:
        os.close(handle)
        raise
    return handle
