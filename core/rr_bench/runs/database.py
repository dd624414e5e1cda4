"""All runs, in one SQLite file (docs/decisions/0024): `$RR_HOME/runs/runs.sqlite`. One is there whole or not at all."""

from __future__ import annotations

import json
import logging
import re
import secrets
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from rr.errors import RerankError, nearest
from rr.files import CHECKSUM, DamagedError, alone, fingerprint, home
from rr.files.kept import with_checksum
from rr_bench.database import BESIDE, check, database, reading
from rr_bench.evaluate.results import BenchResult
from rr_bench.runs.packing import Blobs, from_json, numbers, rebuilt, unpacked

VERSION = 1
SCHEMA = """
CREATE TABLE runs (id TEXT PRIMARY KEY, about TEXT NOT NULL);
CREATE TABLE blobs (sha256 TEXT PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE parts (run TEXT NOT NULL REFERENCES runs (id), blob TEXT NOT NULL REFERENCES blobs (sha256),
                    PRIMARY KEY (run, blob)) WITHOUT ROWID
"""
LATEST = re.compile(r"latest(?:~(\d+))?")
SHOWN = 5
"""Ids that an error names."""


def path() -> Path:
    return home() / "runs" / "runs.sqlite"


@dataclass(frozen=True)
class Run:
    """One run. `about`: all but its long lists (`rr_bench.runs.recording`)."""

    id: str
    about: Mapping[str, Any]

    def blob(self, checksum: str) -> bytes:
        """
        Raises:
            RerankError: it is not there as it was written.
        """
        with _read(whole=False) as connection:  # it carries its own checksum
            found = connection.execute("SELECT content FROM blobs WHERE sha256 = ?", (checksum,)).fetchone()
        if found is None or sha256(found[0]).hexdigest() != checksum:
            raise _damaged(f"a part of run {self.id} is {'missing' if found is None else 'not what was written'}")
        return bytes(found[0])

    def numbers(self, checksum: str) -> list[float]:
        return numbers(self.blob(checksum))

    def json(self, checksum: str) -> Any:
        return from_json(self.blob(checksum))

    @property
    def result(self) -> BenchResult:
        """As `rr_bench.evaluate.bench.bench` returned it."""
        return rebuilt(BenchResult, unpacked(self.about["result"], self.blob))


def add(about: Mapping[str, Any], blobs: Blobs) -> str:
    """Records a run; its id, which sorts by time.

    Raises:
        OSError, sqlite3.Error: it cannot be written.
    """
    now = datetime.now(UTC)
    id_ = f"{now:%Y%m%d-%H%M%S}{now.microsecond // 1000:03d}-{secrets.token_hex(2)}"
    text = json.dumps(with_checksum({"id": id_, "at": now.isoformat(timespec="seconds"), **about}), ensure_ascii=False)
    with _write() as connection:
        connection.execute("INSERT INTO runs VALUES (?, ?)", (id_, text))
        for name, content in blobs.items():
            there = connection.execute("SELECT content FROM blobs WHERE sha256 = ?", (name,)).fetchone()
            if there is None or there[0] != content:  # mended, where it was damaged
                connection.execute("INSERT OR REPLACE INTO blobs VALUES (?, ?)", (name, content))
            connection.execute("INSERT INTO parts VALUES (?, ?)", (id_, name))
    return id_


def all_runs() -> list[Run]:
    """The newest first. A record that is not as it was written is named in a warning, and left where it is.

    Raises:
        RerankError: the database cannot be read.
    """
    with _read() as connection:
        rows = connection.execute("SELECT id, about FROM runs ORDER BY id DESC").fetchall()
    found = []
    for id_, text in rows:
        try:
            found.append(_run(id_, text))
        except RerankError as error:
            logging.getLogger("rr").warning("%s", error)
    return found


def find(name: str) -> Run:
    """The run of this id, or the only one whose id, or the last part of it, begins so; `latest`, or `latest~N`, the
    N-th before it.

    Raises:
        RerankError: there is none, or several.
    """
    with _read() as connection:
        ids = [id_ for (id_,) in connection.execute("SELECT id FROM runs ORDER BY id DESC")]
        if (match := LATEST.fullmatch(name)) is not None:
            before = int((match[1] or "0")[:9])
            if before >= len(ids):
                raise RerankError(f"no run is called {name!r}: there {_are(len(ids))}; 'rr bench' leaves one")
            found = [ids[before]]
        else:
            found = [id_ for id_ in ids if name and (id_.startswith(name) or id_.split("-")[-1].startswith(name))]
            found = [name] if name in ids else found
        if len(found) > 1:
            more = ", …" if len(found) > SHOWN else ""
            raise RerankError(f"{name!r} begins the ids of {len(found)} runs: {', '.join(found[:SHOWN])}{more}")
        if not found:
            if not ids:
                raise RerankError(f"no run is called {name!r}: there are none yet; 'rr bench' leaves one")
            known = nearest(name, [*ids[:SHOWN], "latest"])
            raise RerankError(f"no run is called {name!r}{known}; 'rr runs list' shows all {len(ids)}")
        (text,) = connection.execute("SELECT about FROM runs WHERE id = ?", (found[0],)).fetchone()
    return _run(found[0], text)


def delete(ids: Sequence[str]) -> None:
    """Takes the runs away, with what no other run holds."""
    with _write() as connection:
        for id_ in ids:
            connection.execute("DELETE FROM parts WHERE run = ?", (id_,))
            connection.execute("DELETE FROM runs WHERE id = ?", (id_,))
        connection.execute("DELETE FROM blobs WHERE sha256 NOT IN (SELECT blob FROM parts)")


def _are(count: int) -> str:
    return "is 1 run" if count == 1 else f"are {count} runs"


def _run(id_: str, text: str) -> Run:
    try:
        about = json.loads(text)
        if about.pop(CHECKSUM) != fingerprint(about) or about["id"] != id_:
            raise ValueError("its checksum is of another content")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _damaged(f"run {id_} is not what was written") from error
    return Run(id_, about)


def _damaged(what: str) -> RerankError:
    return RerankError(f"{path()} is damaged: {what}; {_mend(path())}")


def _mend(file: Path) -> str:
    return f'"sqlite3 {file} .recover | sqlite3 NEW" saves what can be read of it'


@contextmanager
def _read(whole: bool = True) -> Iterator[sqlite3.Connection]:
    """The database, the whole of it checked; an empty one where there is none."""
    try:
        with reading(path(), VERSION) as connection:
            if whole:
                check(connection)
            yield connection
    except FileNotFoundError:
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.executescript(SCHEMA)
            yield connection
    except DamagedError as error:
        raise _damaged(f"{error}; the next bench puts it aside and begins a new one") from error


@contextmanager
def _write() -> Iterator[sqlite3.Connection]:
    """The database in a transaction. One that is damaged is put aside, under a name that nothing else has."""
    with alone(path()):
        try:
            if path().exists():
                with reading(path(), VERSION) as connection:
                    check(connection)
            with database(path(), SCHEMA, VERSION):
                pass
        except DamagedError as error:
            _put_aside(error)
        with database(path(), SCHEMA, VERSION) as connection:
            yield connection


def _put_aside(error: DamagedError) -> None:
    aside = path().with_name(f"runs.damaged-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}.sqlite")
    for end in BESIDE:
        there = Path(f"{path()}{end}")
        if there.exists() or there.is_symlink():
            there.rename(f"{aside}{end}")
    logging.getLogger("rr").warning(
        "%s is damaged (%s); it was moved to %s, and a new one is begun; %s", path(), error, aside, _mend(aside)
    )
