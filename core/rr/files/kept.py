"""What is kept carries a SHA-256 that is compared when it is read. What is not as it was written is named in a warning,
set aside under a hidden name, and made anew by whoever asked for it."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rr.files.atomic import not_followed, write_atomic
from rr.files.fingerprints import fingerprint

CHECKSUM = "sha256"
"""The key of a JSON object under which the checksum of all the rest stands."""

_made: set[Path] | None = None
"""What was made since `anew()` began; None outside it."""


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
