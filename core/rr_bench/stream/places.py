"""Where in a file its ids stand, on disk: for files whose ids need not fit into memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

from rr.data.rows import id_form
from rr.errors import DataError
from rr.files import fingerprint, home, is_sealed, sealed_folder
from rr_bench.code import room_fingerprint

FILE = "places.sqlite"
Place = tuple[str, int, int]
"""An id, the line at which it stands, and the bytes before that line."""


class Places:
    """The places of a file, in a SQLite file that `stored_places` made."""

    def __init__(self, path: Path) -> None:
        # asked by one thread at a time, which need not be this one
        self._connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False)

    def __len__(self) -> int:
        (count,) = self._connection.execute("SELECT count(*) FROM places").fetchone()
        return int(count)

    def find(self, id_: str) -> Place | None:
        """The place of this very id, else of the only one of the same `id_form`."""
        form = id_form(id_)
        found = self._all("id = ?", id_) or [*self._all("id = ?", form), *self._all("form = ?", form)]
        return found[0] if len(found) == 1 else None

    def _all(self, where: str, value: str) -> list[Place]:
        return self._connection.execute(f"SELECT id, line, offset FROM places WHERE {where}", (value,)).fetchall()

    def close(self) -> None:
        self._connection.close()


def stored_places(
    file: Path, key: object, places: Callable[[], Iterable[Place]], twice: Callable[[str, int], str]
) -> Places:
    """The places of `file`, from `$RR_HOME/indexes` where they are there, else taken from `places()`, one at a time.
    `key`: all that determines them. Two processes may make them at once; either's are good.

    Raises:
        DataError: an id comes twice; `twice` words that, from the id and the line where it came first.
    """
    name = fingerprint([key, room_fingerprint("rr.data"), room_fingerprint("rr_bench.stream")])[:32]
    folder = home() / "indexes" / name
    if not is_sealed(folder, name):
        with (
            sealed_folder(folder, name) as work,
            closing(sqlite3.connect(work / FILE, isolation_level=None)) as connection,
        ):
            _fill(connection, file, places(), twice)
    return Places(folder / FILE)


def _fill(
    connection: sqlite3.Connection, file: Path, places: Iterable[Place], twice: Callable[[str, int], str]
) -> None:
    connection.execute("PRAGMA synchronous = OFF")  # it is flushed as a whole, when it is whole
    connection.execute(
        "CREATE TABLE places (id TEXT NOT NULL, line INTEGER NOT NULL, offset INTEGER NOT NULL, form TEXT)"
    )
    connection.execute("BEGIN")
    # the form only of ids that are not spelled so: nearly none
    rows = ((*place, None if (form := id_form(place[0])) == place[0] else form) for place in places)
    connection.executemany("INSERT INTO places VALUES (?, ?, ?, ?)", rows)
    connection.execute("CREATE INDEX by_form ON places (form) WHERE form IS NOT NULL")
    connection.execute("COMMIT")
    try:
        # after the rows: one sort on disk, where an index that grows with them is written to all over
        connection.execute("CREATE UNIQUE INDEX by_id ON places (id)")
    except sqlite3.IntegrityError as error:
        id_, first, again = connection.execute(
            "SELECT id, min(line), max(line) FROM places GROUP BY id HAVING count(*) > 1 ORDER BY min(line)"
        ).fetchone()
        raise DataError(f"{file}, line {again}: {twice(id_, first)}") from error
