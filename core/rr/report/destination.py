"""Whether results can be written where they are wanted: found out before the work, not after it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

from rr.errors import RerankError

ROOM = 2**20
"""Bytes that are written in trial, for a disk that is full."""
SUFFIX = "-" * 24
"""With what `tempfile` adds, as long as the suffix of the temporary names of `rr.artefacts`."""


def check_file(path: Path) -> None:
    """
    Raises:
        RerankError: no file can be written under this name.
    """
    try:
        if path.is_dir():
            raise RerankError(f"{path} is a folder; name a file")
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise RerankError(f"{path} is no plain file, and would be replaced by one; name another")
        _try(path.parent, path.name)
    except OSError as error:
        raise _refused(path, error) from error


def check_folder(folder: Path, files: Sequence[str]) -> None:
    """`files`: the names of what will be written in it.

    Raises:
        RerankError: the folder cannot be made, or these files cannot be written in it.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise RerankError(f"{folder} is a file; name a folder")
        for name in files:
            if (folder / name).is_dir():
                raise RerankError(f"{folder / name} is a folder, where a file is to be written; name another")
        _try(folder, max(files, key=len))
    except OSError as error:
        raise _refused(folder, error) from error


def _try(folder: Path, name: str) -> None:
    """Writes a file in the folder, which is made if need be. Both vanish again."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    made = []
    try:
        for one in reversed(missing):
            one.mkdir()
            made.append(one)
        with NamedTemporaryFile(dir=folder, prefix=f".{name}", suffix=SUFFIX) as file:
            file.write(bytes(ROOM))
            file.flush()
            os.fsync(file.fileno())
    finally:
        for one in reversed(made):
            with contextlib.suppress(OSError):  # somebody else is using it by now
                one.rmdir()


def _refused(path: Path, error: OSError) -> RerankError:
    return RerankError(f"{path}: nothing can be written there ({error.strerror or error}); name another place")
