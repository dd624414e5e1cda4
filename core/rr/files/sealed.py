"""Folders that are kept with the checksum of every file in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rr.files.atomic import atomic_folder
from rr.files.fingerprints import file_sha256
from rr.files.kept import DamagedError, made, outdated, read_json, set_aside, take_away, write_checked

SEAL = "sha256.json"
"""In such a folder: the SHA-256 of each other file."""


@contextmanager
def sealed_folder(path: Path, key: str) -> Iterator[Path]:
    """As `atomic_folder`, with the checksums of what was put into it. `key`: what it is and depends on."""
    with atomic_folder(path) as folder:
        yield folder
        write_checked(folder / SEAL, key, _sums(folder))
    made(path)


def is_sealed(path: Path, key: str) -> bool:
    """Whether the folder is there as `sealed_folder` left it under this key; reads all of it. One that is damaged is
    named, and set aside."""
    if not os.path.lexists(path):
        return False
    if outdated(path):
        take_away(path)
        return False
    try:
        if path.is_symlink() or not path.is_dir():
            raise DamagedError("it is no folder")
        found = read_json(path / SEAL)
        if found.get("key") != key:
            raise DamagedError("it holds something else, under this name")
        sums, written = _sums(path), found["content"]
        for name in sorted({*sums, *written}):
            if sums.get(name) != written.get(name):
                raise DamagedError(f"{name} is {'not the file that was written' if name in sums else 'missing'}")
    except (DamagedError, OSError) as error:
        set_aside(path, error)
        return False
    return True


def _sums(folder: Path) -> dict[str, str]:
    files = [file for file in sorted(folder.rglob("*")) if not file.is_dir() and file.name != SEAL]
    return {str(file.relative_to(folder)): file_sha256(file) if file.is_file() else "no file" for file in files}
