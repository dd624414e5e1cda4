"""The files that a data set is read from, by their content."""

from __future__ import annotations

import os
import time
from pathlib import Path

from rr.errors import DataError
from rr.files import file_sha256, fingerprint, home
from rr_bench.keeping import read_checked, write_checked

LARGE = 1 << 25
"""Bytes from which on a file is read but once for its SHA-256, as long as it stays what it is to the file system."""
SETTLED_NS = 2_000_000_000
"""A file that was changed so short a time ago may change again without another time stamp, as to git."""


def source_fingerprint(path: Path) -> str:
    """Of one file that a reader reads; what it is not, the reader says in its own words."""
    try:
        if not path.is_file():
            return "missing"
        return file_sha256(path) if (is_ := path.stat()).st_size < LARGE else _known_sha256(path, is_)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; check its permissions") from error


def _known_sha256(path: Path, before: os.stat_result) -> str:
    kept = home() / "sources" / f"{fingerprint(str(path.resolve()))[:32]}.json"
    key = _identity(before)
    if isinstance(known := read_checked(kept, key), str):
        return known
    found = file_sha256(path)
    settled = time.time_ns() - max(before.st_mtime_ns, before.st_ctime_ns) > SETTLED_NS
    if settled and _identity(path.stat()) == key:
        write_checked(kept, key, found)
    return found


def _identity(told: os.stat_result) -> str:
    """Nobody can set the time of a change of state (ctime), as that of a change (mtime) can be."""
    return fingerprint([told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns, told.st_ctime_ns])
