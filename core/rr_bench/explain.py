"""The one net: what the machine, a file or the input did, as an error of one line. What it leaves is our own fault."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rr.errors import RerankError
from rr.files import home

MENDS = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there",
    errno.EACCES: "check its permissions",
    errno.EPERM: "check its permissions",
    errno.EROFS: "name a place that can be written to",
    errno.ENOTDIR: "a file stands where a folder should; name another path",
    errno.EEXIST: "something else stands there; name another path",
    errno.EISDIR: "give the path of a file, not of a folder",
    errno.ELOOP: "the link leads back to itself; mend it",
    errno.ENAMETOOLONG: "shorten it",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}
"""What to do about an error of the operating system."""


def explained(error: Exception) -> RerankError | None:
    """The error that tells a user what happened and what to do; None where only a fault in the code explains it."""
    if isinstance(error, RerankError):
        return error
    if isinstance(error, OSError):
        return RerankError(_of_the_system(error))
    if isinstance(error, UnicodeError):
        return RerankError(_of_the_encoding(error))
    if isinstance(error, RecursionError):
        return RerankError("the input is nested too deep to be read; flatten it")
    if isinstance(error, MemoryError):
        return RerankError("the memory is exhausted; give less at a time, or smaller batches")
    if isinstance(error, sqlite3.Error):
        return RerankError(f"a database in $RR_HOME: {error}; make room there, or export RR_HOME=FOLDER")
    return None


@contextmanager
def explaining() -> Iterator[None]:
    """Raises what `explained` makes of an error, with the error as its cause; also a decorator.

    Raises:
        RerankError: what went wrong outside of the code. A fault of the code comes out as it is.
    """
    try:
        yield
    except RerankError:
        raise
    except Exception as error:
        told = explained(error)
        if told is None:
            raise
        raise told from error


def _of_the_system(error: OSError) -> str:
    if error.errno is None:  # not of the system itself: a library's words
        return " ".join(str(error).split()) or type(error).__name__
    at = f"{error.filename}: " if error.filename is not None else ""
    mend = MENDS.get(error.errno, "check the path")
    inside = " in $RR_HOME" if at and _kept(str(error.filename)) else ""
    return f"{at}{error.strerror}{inside}; {mend}"


def _kept(path: str) -> bool:
    try:
        return Path(path).is_relative_to(home())
    except RerankError:  # there is none
        return False


def _of_the_encoding(error: UnicodeError) -> str:
    if isinstance(error, UnicodeEncodeError):
        piece = error.object[max(error.start - 20, 0) : error.end]
        return f"the text {piece!a} cannot be written as {error.encoding} ({error.reason}); repair its encoding"
    if isinstance(error, UnicodeDecodeError):
        return f"byte 0x{error.object[error.start]:02x} is not {error.encoding} ({error.reason}); save it as UTF-8"
    return " ".join(str(error).split())
