"""Which files Python code opens, while somebody looks."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_listeners: dict[int, list[tuple[Path, bool]]] = {}
_hooked = False
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _listeners or event != "open":
        return
    path, mode, flags = arguments
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if isinstance(path, str):
        writes = bool(set(mode) & set("wax+")) if isinstance(mode, str) else bool((flags or 0) & WRITES)
        for listener in list(_listeners.values()):
            listener.append((Path(path).absolute(), writes))


@contextmanager
def opened() -> Iterator[list[tuple[Path, bool]]]:
    """What is opened in the block, absolute, and whether to be written. Code that is not Python's is not seen."""
    global _hooked
    if not _hooked:  # a hook cannot be taken away
        sys.addaudithook(_hook)
        _hooked = True
    found: list[tuple[Path, bool]] = []
    _listeners[id(found)] = found
    try:
        yield found
    finally:
        del _listeners[id(found)]


@contextmanager
def written_elsewhere(inside: Sequence[Path]) -> Iterator[list[str]]:
    """What is written in the block, but for these folders, devices, and what Python compiles."""
    found: list[str] = []
    places = [one.absolute() for one in (*inside, Path("/dev"), Path("/proc"))]
    with opened() as seen:
        yield found
    for path, writes in seen:
        if writes and "__pycache__" not in path.parts and not any(map(path.is_relative_to, places)):
            found.append(str(path))
