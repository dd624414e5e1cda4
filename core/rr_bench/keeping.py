"""Homes in which nothing is found that others have computed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rr.files.keeping import KEEPING


@contextmanager
def home_at(folder: Path) -> Iterator[None]:
    """`rr.files.home()` is `folder` for the block, in this process and in those that it starts."""
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
    """`keeping()` is False for the block, and `rr.files.home()` an empty folder that vanishes with it."""
    with tempfile.TemporaryDirectory(prefix="rr-nothing-kept-") as folder, home_at(Path(folder)):
        before = KEEPING.set(False)
        try:
            yield
        finally:
            KEEPING.reset(before)
