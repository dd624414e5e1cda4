"""A file that grows part by part in a hidden folder beside it, survives a kill, and shows itself when it is whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rr.artefacts import move, write_atomic
from rr.errors import RerankError
from rr.workplace import alone

CONTENT, NOTES = "content", "partial.json"


class Partial:
    """`done`: how many units of work the file holds so far. `key` names the one piece of work that makes it."""

    def __init__(self, path: Path, key: str) -> None:
        """
        Raises:
            RerankError: another piece of work was interrupted here.
        """
        self._path, self._key = path, key
        self.folder = path.with_name(f".{path.name}.partial")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.done, size = self._noted()
        self._file = (self.folder / CONTENT).open("ab")
        self._file.truncate(size)  # what a kill left after the last whole part is written again

    def append(self, text: str, units: int) -> None:
        """Adds a part; once this returns, no kill takes it away."""
        self._file.write(text.encode())
        self._file.flush()
        os.fsync(self._file.fileno())
        self.done += units
        notes = {"key": self._key, "done": self.done, "bytes": self._file.tell()}
        write_atomic(self.folder / NOTES, json.dumps(notes))

    def publish(self) -> None:
        self.close()
        move(self.folder / CONTENT, self._path)
        shutil.rmtree(self.folder)

    def close(self) -> None:
        self._file.close()

    def _noted(self) -> tuple[int, int]:
        """Units and bytes that are known to be there."""
        try:
            (self.folder / CONTENT).stat()  # it is gone where a kill came right after publishing
            notes = json.loads((self.folder / NOTES).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return 0, 0
        if notes["key"] != self._key:
            raise RerankError(
                f"{self.folder} holds interrupted work of another reranker, run, data or code; "
                "delete it, or name another --out"
            )
        return notes["done"], notes["bytes"]


@contextmanager
def partial(path: Path, key: str) -> Iterator[Partial]:
    """The file that becomes `path`, to this process alone. Whatever ends the block, finished parts stay.

    Raises:
        RerankError: `path` exists, or another piece of work was interrupted here.
    """
    with alone(path):
        if path.exists():
            raise RerankError(f"{path} exists already; delete it, or name another --out")
        work = Partial(path, key)
        try:
            yield work
        finally:
            work.close()
