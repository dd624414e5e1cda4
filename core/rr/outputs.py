"""Where results go: tried before the work, so that nothing is computed that cannot be written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from rr.errors import RerankError

ROOM = 2**20
"""Bytes that are written in trial, for a disk that is full."""
SUFFIX = "-" * 25
"""With what `tempfile` adds, as long as the suffix of the temporary names of `rr.artefacts`."""


def new_path(path: Path, option: str, inputs: Iterable[Path | None] = ()) -> None:
    """Checks that a file or a folder can be made at `path`. `option`: what the user named it with; `inputs`: what the
    same command reads.

    Raises:
        RerankError: `path` is one of the inputs, by whatever name; something stands there, or it cannot be written.
    """
    for source in inputs:
        if source is not None and _same(path, source):
            raise RerankError(f"{path}: {option} is the very file that is read; name another")
    if os.path.lexists(path):
        raise RerankError(f"{path} exists already; delete it, or name another {option}")
    _try(path, path.absolute().parent, path.name, option)


def folder_for(folder: Path, files: Sequence[str], option: str) -> None:
    """Checks that files of these names can be written in a folder, in place of those that are there.

    Raises:
        RerankError: the folder cannot be made, or the files cannot be written in it.
    """
    for name in files:
        if (folder / name).is_dir():
            raise RerankError(f"{folder / name} is a folder, where a file is to be written; name another {option}")
    _try(folder, folder, max(files, key=len), option)


def _try(path: Path, folder: Path, name: str, option: str) -> None:
    """Writes a file in the folder, which is made if need be. Both vanish again. What the system says of it is exact,
    access bits are not."""
    there = next(one for one in (folder, *folder.parents) if os.path.lexists(one))
    if not there.is_dir():
        raise RerankError(f"{path}: {there} is no folder; name another {option}")
    made: list[Path] = []
    try:
        os.fsencode(path).decode()
        for one in reversed([one for one in (folder, *folder.parents) if not one.exists()]):
            one.mkdir()
            made.append(one)
        with NamedTemporaryFile(dir=folder, prefix=f".{name}", suffix=SUFFIX) as file:
            file.write(bytes(ROOM))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        reason = error.strerror or error
        raise RerankError(f"{path}: cannot be written ({reason}); name another {option}") from error
    except UnicodeError as error:
        raise RerankError(f"{path}: the name is not UTF-8; name another {option}") from error
    finally:
        for one in reversed(made):
            with suppress(OSError):  # somebody else is using it by now
                one.rmdir()


def _same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:  # one of them is not there: compared by where they would be
        return os.path.realpath(path) == os.path.realpath(other)
