"""The most memory that a block takes, besides what the process held before it."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@contextmanager
def peak_memory() -> Iterator[Callable[[], int | None]]:
    """Bytes of resident memory: the kernel's own high-water mark, set back at the start (proc(5), `clear_refs`), so
    that no peak between two looks is missed and none of before counts; minus what was resident then, after all that
    nobody holds was given back. Modules that are imported already are not in it. None where the system has no such
    mark (it is Linux's)."""
    gc.collect()
    _give_back()
    try:
        RESET.write_text("5", encoding="ascii")
        before = _resident("VmRSS")
    except OSError:
        yield lambda: None
        return
    yield lambda: max(_resident("VmHWM") - before, 0)


def _resident(name: str) -> int:
    lines = STATUS.read_text(encoding="utf-8").splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])


def _give_back() -> None:
    """What glibc keeps for later: the next one would be lent it, and seem to take nothing."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
