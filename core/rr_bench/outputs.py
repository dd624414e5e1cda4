"""Where results go: tried before the work, so that nothing is computed that cannot be written."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from rr.errors import RerankError
from rr_bench.names import JOINERS, MAX_BYTES, is_word

ROOM = 2**20
"""Bytes that are written in trial, for a disk that is full."""
SUFFIX = "-" * 25
"""With what `tempfile` adds, as long as the suffix of the temporary names of `rr.files.atomic`."""

LONGEST = 150
"""Bytes of a file's name, which others stand behind (`-KEY`, `.json`, a temporary suffix): 255 are a system's limit."""


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


def own_folder(path: Path) -> None:
    """Makes a folder, under a name that others can guess, or finds the one that this user made.

    Raises:
        RerankError: something else lies there.
    """
    try:
        path.mkdir(parents=True)
        return
    except FileExistsError:
        found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        what = "is another user's" if stat.S_ISDIR(found.st_mode) else "is a link or a file, no folder"
        raise RerankError(f"{path} {what}; remove it, or give another name")


def as_file_name(name: str) -> str:
    """A name that was made elsewhere (`DISTRIBUTION/NAME`, `COMPONENT:MODEL`) as that of one file: escaped as in a URL,
    so that two names never share a file; what is too long for a file ends in a hash of the whole."""
    safe = "".join(c if is_word(c) or c in JOINERS else _percent(c) for c in name)
    safe = _percent(safe[0]) + safe[1:] if safe[:1] in JOINERS and safe else safe
    if len(safe.encode()) <= LONGEST:
        return safe
    whole = hashlib.sha256(safe.encode()).hexdigest()[:16]
    return f"{safe.encode()[:MAX_BYTES].decode(errors='ignore')}%%{whole}"  # no name has %% when it is escaped


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


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))
