"""Files that are whole or absent, and the fingerprints that say what is in them.

What is kept in `$RR_HOME` carries a SHA-256 that is compared when it is read. What is not as it was written is named
in a warning, set aside under a hidden name, and made anew by whoever asked for it.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import logging
import os
import re
import shutil
import stat
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path, PurePath
from typing import Any

from rr.errors import RerankError

SETTLED = 2.0
"""Seconds after which a temporary folder has its lock, if its writer lives."""
LEFT_BESIDE = ("__pycache__", "*.py[co]", "*~", ".*.sw?", ".#*", ".DS_Store", ".git", ".ipynb_checkpoints")
CHECKSUM = "sha256"
"""The key of a JSON object under which the checksum of all the rest stands."""

_made: set[Path] | None = None
"""What was made since `anew()` began; None outside it."""


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
    """A temporary folder to fill, which becomes `path` when the block ends well and vanishes when it does not.

    Where another process has put `path` there in the meantime, that one stands (both were made from the same key).
    """
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
    for file in folder.rglob("*"):
        if file.is_file():
            _sync(file)


@contextmanager
def _workspace(path: Path) -> Iterator[Path]:
    """A hidden folder beside `path` that is gone, or renamed, after the block. It is locked while its writer lives, by
    which others tell it from what a killed one left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent, None if path.is_relative_to(home()) else path.name)
    folder = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    folder.mkdir()
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # on a file system without locks nobody else gets one, and nothing is swept
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


@functools.cache
def _sweep(folder: Path, name: str | None) -> None:
    """Removes what killed writers left in a folder, once a process; of one `name` only where the folder is the user's.
    Younger than `SETTLED` it may be one that is not locked yet."""
    left = re.compile(rf"\.{'.+' if name is None else re.escape(name)}\.[0-9a-f]{{32}}")
    for path in folder.iterdir():
        if left.fullmatch(path.name):
            with suppress(OSError):  # it is written, it is another user's, or it is gone
                if time.time() - path.lstat().st_mtime > SETTLED:
                    _remove_unlocked(path)


def _remove_unlocked(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    finally:
        os.close(handle)


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
            str(file.relative_to(folder)).encode(errors="backslashreplace").decode(): file_sha256(file)
            for file in files_below(folder)
            if fnmatch(file.name, pattern) and file.name not in exclude
        }
    )


def files_below(folder: Path) -> list[Path]:
    """A folder's files that count, those behind links to folders too, in the order of their names."""
    found: list[Path] = []
    seen: set[Path] = set()

    def failed(error: OSError) -> None:
        raise error

    for place, folders, names in os.walk(folder, onerror=failed, followlinks=True):
        real = Path(place).resolve()
        if real in seen:  # a link to a folder around it
            folders.clear()
            continue
        seen.add(real)
        found += [Path(place, name) for name in names if counts(Path(name)) and Path(place, name).is_file()]
        folders[:] = [name for name in folders if counts(Path(name))]
    return sorted(found)


def counts(path: PurePath) -> bool:
    """Whether a file says anything: not what Python, an editor or a file manager leaves beside it."""
    return not any(fnmatch(part, pattern) for part in path.parts for pattern in LEFT_BESIDE)


class DamagedError(Exception):
    """Something kept is not what was written. The message says what is wrong with it."""


@contextmanager
def anew() -> Iterator[None]:
    """In this block, all that is kept is made anew, once, and takes the place of what was there."""
    global _made
    outer, _made = _made, set()
    try:
        yield
    finally:
        _made = outer


def outdated(path: Path) -> bool:
    """Whether it is to be made anew although it is there."""
    return _made is not None and path not in _made


def made(path: Path) -> None:
    """Says that it has been made now."""
    if _made is not None:
        _made.add(path)


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
        found = read_json(path)
        if found.get("key") != key:
            raise DamagedError("it holds something else, under this name")
        return found["content"]
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        set_aside(path.parent, error)
    except (DamagedError, OSError) as error:
        set_aside(path, error)
    return None


def with_checksum(content: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON object with the checksum of all the rest in it."""
    plain = json.loads(json.dumps(content))  # as it will be read: tuples are lists, and keys are texts
    return {**plain, CHECKSUM: fingerprint(plain)}


def read_json(path: Path) -> dict[str, Any]:
    """What `with_checksum` gave, from a file, without the checksum.

    Raises:
        DamagedError: it is not as it was written.
        OSError: there is no such file, or it cannot be read.
    """
    with open(path, "rb", opener=not_followed) as file:
        data = file.read()
    try:
        found = json.loads(data)
        told = found.pop(CHECKSUM)
        whole = fingerprint(found) == told
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise DamagedError("it is no JSON with a checksum") from error
    if not whole:
        raise DamagedError("its checksum is of another content")
    return found  # type: ignore[no-any-return]


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


def not_followed(path: str, flags: int) -> int:
    """For `open`: a symbolic link is an error, and a named pipe holds nothing up."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)


def set_aside(path: Path, error: Exception, then: str = "it is made anew") -> None:
    """Takes away what is damaged, and warns."""
    reason = f"it cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
    logging.getLogger("rr").warning("%s is damaged (%s); %s", path, reason, then)
    take_away(path)


def take_away(path: Path) -> None:
    """Gives it a hidden name, in place of what was taken away from there before."""
    hidden = path.with_name(f".{path.name}.aside")
    with suppress(FileNotFoundError):  # another process was quicker
        if hidden.is_dir() and not hidden.is_symlink():
            shutil.rmtree(hidden)
        elif path.is_dir():
            hidden.unlink(missing_ok=True)
        path.rename(hidden)
