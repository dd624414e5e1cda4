"""How long an import may take. A plugin that never comes to an end must not keep all others from being used."""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import TypeVar

from rr.errors import RerankError
from rr_bench.report.escape import terminal

NAMED = 2.0
"""Seconds after which stderr names who is waited for."""
LIMIT = 10.0
"""Seconds after which it is given up, unless `$RR_PLUGIN_TIMEOUT` says otherwise."""
AGAIN = 0.2
"""Seconds after which code that caught its end is told again."""

Result = TypeVar("Result")


class GivenUp(BaseException):
    """Raised in code that took too long, from outside of it; no `except Exception` holds it up."""


def limit() -> float:
    """
    Raises:
        RerankError: `$RR_PLUGIN_TIMEOUT` is no number of seconds above 0.
    """
    text = os.environ.get("RR_PLUGIN_TIMEOUT", "").strip()
    if not text:
        return LIMIT
    seconds = math.nan
    with suppress(ValueError):
        seconds = float(text)
    if not 0 < seconds <= threading.TIMEOUT_MAX / 100:  # also false of NaN
        raise RerankError(f"RR_PLUGIN_TIMEOUT is {text!r}; give seconds above 0, or leave it out for {LIMIT:g}")
    return seconds


def in_time(who: str, call: Callable[[], Result], factor: float = 1.0) -> Result:
    """What `call` returns. A line on stderr names `who` after `NAMED` seconds, and it is given up after `limit()`
    seconds, each times `factor`.

    In the main thread the clock interrupts sleeping, waiting and looping alike, and `call` is left by an exception; C
    code that never returns to the interpreter is not interrupted. In any other, `call` runs in a thread of its own,
    which is left behind. (To raise an exception in it, `PyThreadState_SetAsyncExc`, has CPython 3.11 spin for good
    where it is traced while that thread waits in C.)

    Raises:
        TimeoutError: it was given up.
        RerankError: see `limit`.
    """
    named, end = NAMED * factor, limit() * factor
    told = f"{who} takes long: {named:g} s so far, given up after {end:g} s (RR_PLUGIN_TIMEOUT)"
    alarms = hasattr(signal, "SIGALRM") and threading.current_thread() is threading.main_thread()
    if alarms and signal.getsignal(signal.SIGALRM) is not None:
        return _by_alarm(call, named, end, told)
    return _in_thread(call, named, end, told)


def _by_alarm(call: Callable[[], Result], named: float, end: float, told: str) -> Result:
    started = time.monotonic()
    over = False

    def ring(number: int, frame: FrameType | None) -> None:
        if over:
            return
        passed = time.monotonic() - started
        if passed >= end:
            raise GivenUp
        signal.setitimer(signal.ITIMER_REAL, max(end - passed, 1e-3), AGAIN)
        _tell(told)

    before = signal.signal(signal.SIGALRM, ring)
    theirs, interval = signal.setitimer(signal.ITIMER_REAL, min(named, end), AGAIN)
    try:
        try:
            return call()
        finally:
            over = True
    except GivenUp as error:
        raise _too_long(end) from error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if theirs:  # the caller's own alarm goes on; at once, where it is due
            signal.setitimer(signal.ITIMER_REAL, max(theirs - (time.monotonic() - started), 1e-6), interval)


def _in_thread(call: Callable[[], Result], named: float, end: float, told: str) -> Result:
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001 - it is raised where the call is waited for
            errors.append(error)

    worker = threading.Thread(target=run, daemon=True)
    worker.start()
    worker.join(min(named, end))
    if worker.is_alive() and named < end:
        _tell(told)
        worker.join(end - named)
    if worker.is_alive():
        raise _too_long(end)
    if errors:
        raise errors[0]
    return results[0]


def _too_long(end: float) -> TimeoutError:
    return TimeoutError(f"not done after {end:g} s, given up; RR_PLUGIN_TIMEOUT allows more")


def _tell(line: str) -> None:
    with suppress(RuntimeError, ValueError, OSError):  # the alarm came in the middle of a print
        print(terminal(line), file=sys.stderr, flush=True)  # noqa: T201
