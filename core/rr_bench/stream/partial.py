"""A file that grows part by part in a hidden folder beside it, survives a kill, and shows itself when it is whole."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedRandom
from pathlib import Path
from typing import Any

from rr.errors import RerankError
from rr.files import DamagedError, alone, set_aside, write_atomic
from rr.files.atomic import move
from rr.files.kept import not_followed, read_json, take_away, with_checksum
from rr_bench.outputs import own_folder

CONTENT, NOTES = "content", "partial.json"


class Partial:
    """`done`: how many units of work the file holds so far. `key` names the one piece of work that makes it."""

    def __init__(self, path: Path, key: str) -> None:
        """
        Raises:
            RerankError: another piece of work was interrupted here, or what lies here is not ours.
        """
        self._path, self._key = path, key
        self.folder = path.with_name(f".{path.name}.partial")
        own_folder(self.folder)
        self.done, size, sha256 = self._noted()
        self._file = self._opened()
        self._file.truncate(size)  # what a kill left after the last whole part is written again
        self._sha256 = self._read()
        if self._sha256.hexdigest() != sha256:
            self._file.close()
            set_aside(self.folder / CONTENT, DamagedError("it is not what was written"), "it is made anew")
            self._file, self.done, self._sha256 = self._opened(), 0, hashlib.sha256()

    def append(self, text: str, units: int) -> None:
        """Adds a part; once this returns, no kill takes it away."""
        added = text.encode()
        self._file.write(added)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._sha256.update(added)
        self.done += units
        notes = {"key": self._key, "done": self.done, "bytes": self._file.tell(), "content": self._sha256.hexdigest()}
        write_atomic(self.folder / NOTES, json.dumps(with_checksum(notes)))

    def publish(self) -> None:
        """
        Raises:
            RerankError: the content was changed meanwhile.
        """
        whole = self._read().digest() == self._sha256.digest()
        self.close()
        if not whole:
            raise RerankError(f"{self.folder / CONTENT} was changed while it was written; run the same command again")
        move(self.folder / CONTENT, self._path)
        shutil.rmtree(self.folder)

    def close(self) -> None:
        self._file.close()

    def _opened(self) -> BufferedRandom:
        path = self.folder / CONTENT
        try:
            file = open(path, "a+b", opener=not_followed)  # noqa: SIM115 - `close` closes it
        except OSError as error:
            raise RerankError(f"{path}: {error.strerror or error}; remove it, or name another --out") from error
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_nlink != 1:
            file.close()
            raise RerankError(f"{path} is no file of yours alone; remove it, or name another --out")
        return file

    def _read(self) -> Any:
        """The SHA-256 of what the file holds, to go on from; at its end afterwards."""
        self._file.seek(0)
        return hashlib.file_digest(self._file, hashlib.sha256)

    def _noted(self) -> tuple[int, int, str]:
        """Units and bytes that are known to be there, and their SHA-256."""
        nothing = (0, 0, hashlib.sha256().hexdigest())
        if not os.path.lexists(self.folder / CONTENT):  # it is gone where a kill came right after publishing
            return nothing
        try:
            notes = read_json(self.folder / NOTES)
        except FileNotFoundError:
            return nothing
        except (DamagedError, OSError) as error:
            set_aside(self.folder / NOTES, error, "the work starts over")
            take_away(self.folder / CONTENT)
            return nothing
        if notes["key"] != self._key:
            raise RerankError(
                f"{self.folder} holds interrupted work of another reranker, run, data or code; "
                "delete it, or name another --out"
            )
        return notes["done"], notes["bytes"], notes["content"]


@contextmanager
def partial(path: Path, key: str) -> Iterator[Partial]:
    """The file that becomes `path`, to this process alone. Whatever ends the block, finished parts stay.

    Raises:
        RerankError: `path` exists, another piece of work was interrupted here, or what lies here is not ours.
    """
    with alone(path):
        if path.exists():
            raise RerankError(f"{path} exists already; delete it, or name another --out")
        work = Partial(path, key)
        try:
            yield work
        finally:
            work.close()
