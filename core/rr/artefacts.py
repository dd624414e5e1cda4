"""Files that are whole or absent, and the fingerprints that say what is in them."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
import shutil
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from rr.errors import RerankError


def home() -> Path:
    """Where prepared data, checkpoints and scores are kept: `$RR_HOME`, else `~/.cache/rerank-registry`.

    Raises:
        RerankError: no folder can be there.
    """
    try:
        folder = Path(os.environ.get("RR_HOME") or "~/.cache/rerank-registry").expanduser()
    except RuntimeError as error:
        raise RerankError("no home folder is known; export RR_HOME=FOLDER, to keep what is computed in") from error
    there = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if not there.is_dir():
        raise RerankError(f"$RR_HOME is {folder}, but {there} is no folder; export RR_HOME=FOLDER")
    return folder


def write_atomic(path: Path, content: str) -> None:
    """Writes UTF-8 text that is there whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(content, encoding="utf-8", newline="")


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary name to write a file under, which is flushed to disk and becomes `path` when the block ends well, in
    place of what was there, and vanishes when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    try:
        yield temporary
        _sync(temporary)
        move(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def move(file: Path, path: Path) -> None:
    """Renames a flushed file to `path`, for good."""
    file.replace(path)
    _sync(path.parent)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A temporary folder to fill, which becomes `path` when the block ends well and vanishes when it does not.

    Where another process has put `path` there in the meantime, that one stands (both were made from the same key).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    temporary.mkdir()
    try:
        yield temporary
        publish(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def publish(folder: Path, path: Path) -> None:
    """Flushes a folder's files to disk and renames it to `path`, unless something is there already."""
    flush(folder)
    try:
        folder.rename(path)
    except OSError:
        if not path.is_dir():
            raise
    _sync(path.parent)


def flush(folder: Path) -> None:
    """Makes sure that a folder's files are on the disk."""
    for file in folder.rglob("*"):
        if file.is_file():
            _sync(file)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}")


def _sync(path: Path) -> None:
    """Of a file, or of a folder, whose names are its content."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def fingerprint(value: object) -> str:
    """SHA-256 of a JSON-able value; equal values have equal fingerprints whatever their key order."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_fingerprint(folder: Path, pattern: str = "*", exclude: Collection[str] = ()) -> str:
    """SHA-256 over the names and contents of a folder's files, so that a change of any byte shows. `exclude`: names
    of files that do not count."""
    return fingerprint(
        {
            str(file.relative_to(folder)): file_sha256(file)
            for file in sorted(folder.rglob(pattern))
            if file.is_file() and file.name not in exclude
        }
    )


@functools.cache
def code_fingerprint(package: str) -> str:
    """SHA-256 over the Python sources of a top-level package, so that nothing made by older code is taken for new."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return "unknown"
    origin = Path(spec.origin)
    return folder_fingerprint(origin.parent, "*.py") if origin.name == "__init__.py" else file_sha256(origin)
