"""The documents of a corpus, which may be more than memory holds."""

import json
import sqlite3
import weakref
from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Any

from rr.data.rows import ById, Row, id_form
from rr.errors import RerankError
from rr.types import Document

HELD, EACH, PAGE = 150_000_000, 1_000, 1_000
"""Characters that are held, of which a document counts `EACH` more than it has; documents read from disk at a time."""
_TABLE = """PRAGMA journal_mode = OFF; PRAGMA cache_size = -65536; CREATE TABLE documents (row INTEGER PRIMARY KEY,
id TEXT UNIQUE, text TEXT, title TEXT, metadata TEXT, place TEXT, form TEXT);
CREATE INDEX by_form ON documents (form) WHERE form IS NOT NULL; BEGIN"""
_READ, _PLACE = (f"SELECT {some} FROM documents WHERE " for some in ("id, text, title, metadata, row", "place"))


class Documents(Mapping[str, Document]):
    """Documents by id, in the order of their source, for threads to share. The first are held, as by `ById`; the others
    lie in a temporary file (in $SQLITE_TMPDIR, else where SQLite has such), and are made anew when they are asked for.
    Raises RerankError: the disk is full."""

    def __init__(self) -> None:
        self._held, self._size, self._written, self._lock = ById[Document]("document"), 0, 0, Lock()
        self._page: dict[str, Any] = {}
        self._disk = sqlite3.connect("", isolation_level=None, check_same_thread=False)  # it vanishes with the process
        self._disk.executescript(_TABLE)
        weakref.finalize(self, self._disk.close)

    def add(self, id_: str, document: Document, row: Row) -> None:
        """Raises DataError where the id was added before; both places are named."""
        if self._size < HELD or id_ in self._held:
            self._held.add(id_, document, row)
            self._size += EACH + len(document.title) + len(document.text)
            return
        form = None if (form := id_form(id_)) == id_ else form
        values = (id_, document.text, document.title, json.dumps(document.metadata), row.at, form)
        try:
            self._asked("INSERT INTO documents VALUES (NULL, ?, ?, ?, ?, ?, ?)", *values)
        except sqlite3.IntegrityError as error:
            ((place,),) = self._asked(f"{_PLACE} id = ?", id_)
            raise row.error(f"document {id_!r} came already in {place}; keep one of them") from error
        self._written += 1

    def _asked(self, sql: str, *values: object) -> list[Any]:
        try:
            with self._lock:
                return self._disk.execute(sql, values).fetchall()
        except sqlite3.OperationalError as error:
            raise RerankError(f"the corpus cannot be held ({error}); export SQLITE_TMPDIR=FOLDER with room") from error

    def find(self, id_: str) -> str | None:
        """As that of `ById`."""
        if id_ in self:
            return id_
        form = id_form(id_)
        written = self._asked("SELECT id FROM documents WHERE id = ?1 OR form = ?1", form)
        same = [*self._held._alike(form), *(found for (found,) in written)]
        return same[0] if len(same) == 1 else None

    def __getitem__(self, id_: str) -> Document:
        if id_ in self._held:
            return self._held[id_]
        found = self._page.get(id_) or next(iter(self._asked(f"{_READ} id = ?", id_)), None)
        if found is None:
            raise KeyError(id_)
        return Document(found[0], found[1], found[2], json.loads(found[3]))

    def __contains__(self, id_: object) -> bool:
        return id_ in self._held or (isinstance(id_, str) and bool(self._asked(f"{_PLACE} id = ?", id_)))

    def __len__(self) -> int:
        return len(self._held) + self._written

    def __iter__(self) -> Iterator[str]:
        yield from self._held
        last = 0
        while found := self._asked(f"{_READ} row > ? ORDER BY row LIMIT ?", last, PAGE):
            self._page, last = {row[0]: row for row in found}, found[-1][4]  # what `values` and `items` ask for next
            yield from [row[0] for row in found]
