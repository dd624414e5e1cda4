"""What is kept carries a SHA-256 that is compared when it is read. What is not as it was written is named in a warning,
set aside under a hidden name, and made anew by whoever asked for it."""

import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from rr.files.atomic import atomic_folder, write_atomic
from rr.files.fingerprints import file_sha256, fingerprint

CHECKSUM = "sha256"  # the key of a JSON object under which the checksum of all the rest stands
SEAL = "sha256.json"  # in a sealed folder: the SHA-256 of each other file
KEEPING: ContextVar[bool] = ContextVar("keeping", default=True)
"""Whether what one row of a bench has computed may help another: not while anything is timed."""
made_anew: set[Path] | None = None  # what was made since `rr_bench.keeping.anew()` began; None outside it
elsewhere: Any = None  # where others find what is kept here, and what is missing is fetched (`rr_bench.engine.store`)


class DamagedError(Exception):
    """Something kept is not what was written. The message says what is wrong with it."""


def keeping() -> bool:
    """Whether a store may answer from what it keeps, and keep what it computes; on disk, under `rr.files.home()`."""
    return KEEPING.get()


def outdated(path: Path) -> bool:
    """Whether it is to be made anew although it is there. To be asked before it is looked for: now it is fetched."""
    anew = made_anew is not None and path not in made_anew
    if elsewhere is not None and not anew:
        elsewhere.fetch(path)
    return anew


def made(path: Path) -> None:
    """Says that it has been made now."""
    if made_anew is not None:
        made_anew.add(path)
    if elsewhere is not None:
        elsewhere.keep(path)


def with_checksum(content: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON object with the checksum of all the rest in it."""
    plain = json.loads(json.dumps(content))  # as it will be read: tuples are lists, and keys are texts
    return {**plain, CHECKSUM: fingerprint(plain)}


def read_json(path: Path, key: str | None = None) -> dict[str, Any]:
    """What `with_checksum` gave, from a file, without the checksum. Raises DamagedError: it is something else, or says
    so by its own "key"."""
    with open(path, "rb", opener=not_followed) as file:
        data = file.read()
    try:
        found: dict[str, Any] = json.loads(data)
        told, content = found.pop(CHECKSUM), fingerprint(found)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise DamagedError("it is no JSON with a checksum") from error
    if content != told:
        raise DamagedError("its checksum is of another content")
    if key is not None and found.get("key") != key:
        raise DamagedError("it holds something else, under this name")
    return found


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


def not_followed(path: str, flags: int) -> int:
    """For `open`: a symbolic link is an error, and a named pipe holds nothing up."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)


@contextmanager
def sealed_folder(path: Path, key: str) -> Iterator[Path]:
    """As `atomic_folder`, with the checksums of what was put into it. `key`: what it is and depends on."""
    with atomic_folder(path) as folder:
        yield folder
        write_atomic(folder / SEAL, json.dumps(with_checksum({"key": key, "content": _sums(folder)})))
    made(path)


def is_sealed(path: Path, key: str) -> bool:
    """Whether the folder is there as `sealed_folder` left it under this key; a damaged one is named, and set aside."""
    if outdated(path):
        take_away(path)
    if not os.path.lexists(path):
        return False
    try:
        if path.is_symlink() or not path.is_dir():
            raise DamagedError("it is no folder")
        written, sums = read_json(path / SEAL, key)["content"], _sums(path)
        for name in sorted(one for one in {*sums, *written} if sums.get(one) != written.get(one)):
            raise DamagedError(f"{name} is {'not the file that was written' if name in sums else 'missing'}")
    except (DamagedError, OSError) as error:
        set_aside(path, error)
        return False
    return True


def _sums(folder: Path) -> dict[str, str]:
    files = [file for file in sorted(folder.rglob("*")) if not file.is_dir() and file.name != SEAL]
    return {str(file.relative_to(folder)): file_sha256(file) if file.is_file() else "no file" for file in files}
