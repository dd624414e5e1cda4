"""Who may write to stdout: this program, and nothing that a plugin prints.

What Python code prints is turned while plugin code runs (`shielded`). What is written to file descriptor 1 past Python,
by C code, by `os.write` or by child processes, is turned for the whole life of the command line (`own_stdout`), whose
descriptor it is; a program that imports `rr` keeps its own.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

_lock = threading.Lock()
_inside = 0
_outside: list[Any] = []
"""sys.stdout and sys.stderr as they were before the first of the threads that are inside came in."""


@contextmanager
def shielded() -> Iterator[None]:
    """Within the block, `sys.stdout` leads to `sys.stderr`, and whatever is put in their places is gone after it. In
    other threads too: what a program prints while another thread of it runs plugin code goes to stderr."""
    global _inside
    with _lock:
        _inside += 1
        if _inside == 1:
            _outside[:] = [sys.stdout, sys.stderr]
        sys.stdout = sys.stderr = _SHIELD
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                sys.stdout, sys.stderr = _outside
            else:
                sys.stdout = sys.stderr = _SHIELD


_own: list[TextIO] = []
"""The real stdout, once the command line has it to itself."""


@contextmanager
def own_stdout() -> Iterator[None]:
    """For the command line, until the process ends: its own output alone reaches the real stdout. Descriptor 1 leads to
    stderr, and so does what other threads, and handlers at exit, print. Where `sys.stdout` is someone else's (a test's
    capture, say) nothing is changed."""
    given = sys.__stdout__
    if _own and sys.stdout is sys.stderr:  # a second command in the same process
        own = _own[0]
    elif given is None or sys.stdout is not given or given.fileno() != 1:
        yield
        return
    else:
        given.flush()
        own = _MainThreadOnly(
            os.fdopen(os.dup(1), "wb"),
            encoding=given.encoding,
            errors=given.errors,
            line_buffering=given.line_buffering,
            write_through=given.write_through,
        )
        _own.append(own)
        lead(1, to=2)
    sys.stdout = own
    try:
        yield
    finally:
        try:
            own.flush()  # all was flushed when it was printed: what is still here has failed once, and was said
        except OSError:
            lead(own.fileno(), to=None)
        sys.stdout = sys.stderr


def lead(descriptor: int, to: int | None) -> None:
    """Makes a descriptor lead where another one does; nowhere, if that is closed or None."""
    with suppress(OSError):
        if to is not None:
            os.dup2(to, descriptor)
            return
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != descriptor:  # else it was closed, and is the lowest number that was free
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


class _MainThreadOnly(io.TextIOWrapper):
    """Output of the command line, all of which its main thread prints; what other threads print was not asked for."""

    def write(self, text: str) -> int:
        if threading.current_thread() is threading.main_thread():
            return super().write(text)
        return _SHIELD.write(text)


class _Shield(io.TextIOBase):
    """stderr in the hands of a plugin, which can close, wrap or reconfigure it without harm. It may outlive the block
    that it was taken in (in a log handler, say) and then leads where `sys.stderr` does."""

    encoding = "utf-8"
    errors = "backslashreplace"

    @property
    def buffer(self) -> io.BufferedIOBase:
        return _ShieldedBytes()

    def detach(self) -> Any:
        return self.buffer

    def reconfigure(self, **_: object) -> None:
        """What a plugin says of encoding and buffering does not reach the stream behind."""

    def close(self) -> None:
        """stderr stays open."""

    def write(self, text: str) -> int:
        target = _stderr()
        if target is not None:
            with suppress(ValueError, OSError):  # stderr is closed or full: what a plugin prints may be lost
                target.write(text)
        return len(text)

    def flush(self) -> None:
        target = _stderr()
        if target is not None:
            with suppress(ValueError, OSError):
                target.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        target = _stderr()
        return target is not None and target.isatty()

    def fileno(self) -> int:
        target = _stderr()
        if target is None:
            raise io.UnsupportedOperation("fileno")
        return target.fileno()


class _ShieldedBytes(io.BufferedIOBase):
    """The same for bytes."""

    def write(self, content: Any) -> int:
        _SHIELD.write(bytes(content).decode("utf-8", "backslashreplace"))
        return len(bytes(content))

    def flush(self) -> None:
        _SHIELD.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return _SHIELD.isatty()

    def fileno(self) -> int:
        return _SHIELD.fileno()


def _stderr() -> TextIO | None:
    """The real stderr, inside or outside of a block."""
    found = _outside[1] if _inside else sys.stderr
    return sys.__stderr__ if isinstance(found, _Shield) else found


_SHIELD = cast(TextIO, _Shield())
