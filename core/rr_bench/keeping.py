"""JSON values that are kept, and homes in which nothing is found that others have computed."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rr.files import DamagedError, kept, made, outdated, set_aside, write_atomic
from rr.files.kept import KEEPING, read_json, with_checksum


def write_checked(path: Path, key: str, content: object) -> None:
    """Keeps a JSON-able value. `key`: what it is and depends on, so that nothing else is taken for it."""
    write_atomic(path, json.dumps(with_checksum({"key": key, "content": content}), ensure_ascii=False))
    made(path)


def read_checked(path: Path, key: str) -> Any | None:
    """The value that `write_checked` kept there under this key, as JSON gives it back; None where there is none, or
    none that can be relied on."""
    if outdated(path):
        return None
    try:
        return read_json(path, key)["content"]
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        set_aside(path.parent, error)
    except (DamagedError, OSError) as error:
        set_aside(path, error)
    return None


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
def anew() -> Iterator[None]:
    """In this block, all that is kept is made anew, once, and takes the place of what was there."""
    outer, kept.made_anew = kept.made_anew, set()
    try:
        yield
    finally:
        kept.made_anew = outer


@contextmanager
def nothing_kept() -> Iterator[None]:
    """`keeping()` is False for the block, and `rr.files.home()` an empty folder that vanishes with it."""
    with tempfile.TemporaryDirectory(prefix="rr-nothing-kept-") as folder, home_at(Path(folder)):
        before = KEEPING.set(False)
        try:
            yield
        finally:
            KEEPING.reset(before)
