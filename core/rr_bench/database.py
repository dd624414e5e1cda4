"""SQLite files in the home of all that is kept: made whole, used by several processes at once, damage told from what is
merely busy."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from rr.files import DamagedError

BUSY = 60.0
"""Seconds to wait for another process that writes."""
BESIDE = ("", "-wal", "-shm")
"""What belongs to one database, by the ends of the names."""


@contextmanager
def database(path: Path, schema: str, version: int) -> Iterator[sqlite3.Connection]:
    """The database at `path`, with this schema. What the block changes is there as a whole when it ends well, and not
    at all when it does not.

    Raises:
        DamagedError: there is something else, or what it holds cannot be read.
        sqlite3.OperationalError: it is busy for too long, or the disk is full.
    """
    _regular(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with damage_told(), closing(sqlite3.connect(path, timeout=BUSY, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        if _version(connection) == 0:
            with _at_once(connection):
                if _version(connection) == 0:  # nobody else has made it meanwhile
                    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                        raise DamagedError("it is another database")
                    for statement in schema.split(";"):
                        connection.execute(statement)
                    connection.execute(f"PRAGMA user_version = {version}")
        if (found := _version(connection)) != version:
            raise DamagedError(f"its form is number {found}, and this rr knows number {version}")
        with _at_once(connection):
            yield connection


@contextmanager
def reading(path: Path, version: int) -> Iterator[sqlite3.Connection]:
    """The database at `path` as it is, to be read only.

    Raises:
        FileNotFoundError: there is none.
        DamagedError: as `database`.
    """
    _regular(path)
    if not path.exists():
        raise FileNotFoundError(path)
    uri = f"{path.resolve().as_uri()}?mode=rw"  # a reader of a write-ahead log writes beside it
    with damage_told(), closing(sqlite3.connect(uri, uri=True, timeout=BUSY, isolation_level=None)) as connection:
        connection.execute("PRAGMA query_only = ON")
        if (found := _version(connection)) != version:
            raise DamagedError(f"its form is number {found}, and this rr knows number {version}")
        yield connection


def check(connection: sqlite3.Connection) -> None:
    """Looks at the whole of the file.

    Raises:
        DamagedError: a page of it is not what SQLite has written.
    """
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise DamagedError(" ".join(str(found).split()))


@contextmanager
def damage_told() -> Iterator[None]:
    """What SQLite says of a damaged file is a DamagedError; its other errors pass."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if any(word in str(error) for word in ("no such table", "no such column", "malformed")):
            raise DamagedError(str(error)) from error
        raise
    except sqlite3.DatabaseError as error:
        raise DamagedError(str(error)) from error


def _regular(path: Path) -> None:
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise DamagedError("it is no file")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@contextmanager
def _at_once(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
