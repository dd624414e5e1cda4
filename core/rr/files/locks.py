"""One process at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from rr.errors import RerankError
from rr.files.atomic import home
from rr.files.fingerprints import fingerprint


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """One process at a time works towards `path`; the others wait."""
    # not beside `path`: a lock file cannot be deleted without a race, and need not be in the user's way
    locks = home() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    lock = locks / f"{fingerprint(str(path.resolve()))[:16]}.lock"
    if lock.is_symlink():
        raise RerankError(f"{lock} is a symbolic link; remove it")
    with FileLock(lock):
        yield
