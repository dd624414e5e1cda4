"""Files and folders that are whole or absent, in the home of all that is kept, written by one process at a time."""

import fcntl
import functools
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

from rr.errors import RerankError
from rr.files.fingerprints import fingerprint

SETTLED = 2.0  # seconds after which a temporary folder has its lock, if its writer lives


def home() -> Path:
    """Where all that is computed is kept: `$RR_HOME`, else `~/.cache/rerank-registry`. RerankError: it cannot be."""
    try:
        folder = Path(os.environ.get("RR_HOME") or "~/.cache/rerank-registry").expanduser()
    except RuntimeError as error:
        raise RerankError("no home folder is known; export RR_HOME=FOLDER, to keep what is computed in") from error
    there = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if not there.is_dir():
        raise RerankError(f"$RR_HOME is {folder}, but {there} is no folder; export RR_HOME=FOLDER")
    return folder


@contextmanager
def alone(path: Path, seconds: float = -1) -> Iterator[None]:
    """One process at a time works towards `path`; others wait, for ever or so many `seconds` (then TimeoutError)."""
    # not beside `path`: a lock file cannot be deleted without a race, and need not be in the user's way
    lock = home() / "locks" / f"{fingerprint(str(path.resolve()))[:16]}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    if lock.is_symlink():
        raise RerankError(f"{lock} is a symbolic link; remove it")
    with FileLock(lock, seconds):  # whose owner may be killed: the system takes it away from the dead
        yield


def write_atomic(path: Path, content: str) -> None:
    """Writes UTF-8 text that is there whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(content, encoding="utf-8", newline="")


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary name to write a file under, which is flushed to disk and becomes `path` when the block ends well, in
    place of what was there, and vanishes when it does not."""
    with _workspace(path) as folder:
        temporary = folder / path.name
        yield temporary
        _sync(temporary)
        move(temporary, path)


def move(file: Path, path: Path) -> None:
    """Renames a flushed file to `path`, for good."""
    file.replace(path)
    _sync(path.parent)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A temporary folder to fill, which becomes `path` when the block ends well and vanishes when it does not. Where
    another process has put `path` there in the meantime, that one stands (both were made from the same key)."""
    with _workspace(path) as folder:
        yield folder
        publish(folder, path)


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
    for file in filter(Path.is_file, folder.rglob("*")):
        _sync(file)


@contextmanager
def _workspace(path: Path) -> Iterator[Path]:
    """A hidden folder beside `path` that is gone, or renamed, after the block. It is locked while its writer lives, by
    which others tell it from what a killed one left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent, None if path.is_relative_to(home()) else path.name)
    folder = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    folder.mkdir()
    with _handle(folder) as handle:
        with suppress(OSError):  # on a file system without locks nobody else gets one, and nothing is swept
            fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def _sweep(folder: Path, name: str | None) -> None:
    """Removes what killed writers left in a folder, once a process; of one `name` only where the folder is the user's.
    Younger than `SETTLED` it may be one that is not locked yet."""
    left = re.compile(rf"\.{'.+' if name is None else re.escape(name)}\.[0-9a-f]{{32}}")
    for path in filter(lambda path: left.fullmatch(path.name), folder.iterdir()):
        with suppress(OSError):  # it is written, it is another user's, or it is gone
            if time.time() - path.lstat().st_mtime > SETTLED:
                with _handle(path, os.O_NOFOLLOW | os.O_DIRECTORY) as handle:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path)


def _sync(path: Path) -> None:
    """Of a file, or of a folder, whose names are its content."""
    with _handle(path) as handle:
        os.fsync(handle)


@contextmanager
def _handle(path: Path, flags: int = 0) -> Iterator[int]:
    handle = os.open(path, os.O_RDONLY | flags)
    try:
        yield handle
    finally:
        os.close(handle)
