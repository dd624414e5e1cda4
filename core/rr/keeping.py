"""Whether what one row of a bench has computed may help another: not while anything is timed.

Whatever keeps results of texts on disk keeps them under `rr.artefacts.home()`, so that another home is enough to be
without them. What is kept in the memory of a loaded model goes when it is loaded anew.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_keeping: ContextVar[bool] = ContextVar("keeping", default=True)


def keeping() -> bool:
    """Whether a store may answer from what it keeps, and keep what it computes."""
    return _keeping.get()


@contextmanager
def home_at(folder: Path) -> Iterator[None]:
    """`rr.artefacts.home()` is `folder` for the block, in this process and in those that it starts."""
    before = os.environ.get("RR_HOME")
    os.environ["RR_HOME"] = str(folder.absolute())
    try:
        yield
    finally:
        if before is None:
            del os.environ["RR_HOME"]
        else:
            os.environ["RR_HOME"] = before


@contextmanager
def nothing_kept() -> Iterator[None]:
    """`keeping()` is False for the block, and `rr.artefacts.home()` an empty folder that vanishes with it."""
    with tempfile.TemporaryDirectory(prefix="rr-nothing-kept-") as folder, home_at(Path(folder)):
        before = _keeping.set(False)
        try:
            yield
        finally:
            _keeping.reset(before)
