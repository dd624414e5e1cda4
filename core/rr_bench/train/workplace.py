"""The hidden folder in which a checkpoint is made: it survives a kill, and one process at a time works in it."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rr.errors import PluginError, RerankError
from rr.files import DamagedError, alone, made, outdated, set_aside, write_atomic
from rr.files.atomic import flush, publish
from rr.files.kept import read_json, take_away, with_checksum
from rr.protocols import STATE
from rr.training.processes import rank
from rr_bench.keeping import home_at
from rr_bench.outputs import own_folder
from rr_bench.train.events import EVENTS

NOTES = "workplace.json"
KEPT = "kept"
"""A training's own home (`rr_bench.keeping.home_at`): it finds nothing there that others have computed, and after a
kill what it has computed itself."""


def beside(path: Path, what: str) -> Path:
    """The hidden folder beside `path` where it is made (`partial`), or where its failure is recorded (`failed`)."""
    whole = path.absolute()  # where `.` has a name
    return whole.parent / f".{whole.name}.{what}"


@dataclass(frozen=True)
class Workplace:
    """`folder` becomes `path` when it is published. `key` names the one piece of work that is done in it."""

    folder: Path
    path: Path
    key: str
    writes: bool
    """False in all but the first of several processes that train together."""

    @contextmanager
    def clock(self) -> Iterator[Callable[[], float]]:
        """Seconds of work, those of interrupted sittings included (a sitting ended by kill -9 is not known of)."""
        earlier = float(self._notes().get("seconds", 0.0))
        started = time.perf_counter()

        def elapsed() -> float:
            return earlier + time.perf_counter() - started

        try:
            yield elapsed
        finally:
            if self.writes and self.folder.is_dir():
                self._note(elapsed())

    @contextmanager
    def home(self) -> Iterator[None]:
        """The training's own home for the block; in a process that writes nothing here, one that vanishes with it."""
        with ExitStack() as left:
            kept = self.folder / KEPT
            if not self.writes:
                kept = Path(left.enter_context(tempfile.TemporaryDirectory(prefix="rr-kept-")))
            left.enter_context(home_at(kept))
            yield

    def prepare(self) -> bool:
        """Clears away what an interrupted sitting left and nobody goes on from. True: that sitting had all but
        published, and now it is.

        Raises:
            RerankError: another piece of work was interrupted here, or the folder is not ours.
        """
        own_folder(self.folder)
        notes = self._notes()
        if notes and notes["key"] != self.key:
            raise RerankError(
                f"{self.folder} holds an interrupted training of other settings, data or code; "
                "delete it, or name another --out"
            )
        if notes.get("finished"):
            self._show()
            return True
        ours = (STATE, KEPT, NOTES, EVENTS) if notes else ()  # a state without its key could be anyone's
        for left in self.folder.iterdir():  # what was written after the last state is written again
            if left.name not in ours:
                shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
        if not notes:
            self._note(0.0)
        return False

    def write(self, name: str, content: str) -> None:
        if self.writes:
            (self.folder / name).write_text(content, encoding="utf-8")

    def publish(self) -> None:
        if self.writes:
            shutil.rmtree(self.folder / KEPT, ignore_errors=True)
            flush(self.folder)
            self._note(0.0, finished=True)
            self._show()

    def _show(self) -> None:
        shutil.rmtree(self.folder / STATE, ignore_errors=True)
        if outdated(self.path):
            take_away(self.path)
        publish(self.folder, self.path)
        (self.path / NOTES).unlink(missing_ok=True)
        made(self.path)

    def _notes(self) -> dict[str, Any]:
        """Nothing where they are damaged: a state that lies there could be anyone's."""
        try:
            return read_json(self.folder / NOTES)
        except FileNotFoundError:
            return {}
        except (DamagedError, OSError) as error:
            set_aside(self.folder / NOTES, error, "the training starts over")
            return {}

    def _note(self, seconds: float, finished: bool = False) -> None:
        content = {"key": self.key, "seconds": seconds, "finished": finished}
        write_atomic(self.folder / NOTES, json.dumps(with_checksum(content)))


@contextmanager
def workplace(path: Path, key: str) -> Iterator[Workplace | None]:
    """The workplace for `path`, to this process alone; None where `path` was finished while it waited.

    What an interrupt, a kill or a crash leaves in it stays for the next time; what an error leaves that would come
    again (settings that cannot work, a loss that is no number) is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    place = Workplace(path.with_name(f".{path.name}.partial"), path, key, rank() == 0)
    if not place.writes:  # the first process holds the lock for all that were launched with it
        yield place
        return
    with alone(path):
        if not outdated(path) and path.is_dir():
            yield None
            return
        if place.prepare():
            yield None
            return
        try:
            yield place
        except RerankError as error:
            if not isinstance(error, PluginError):
                shutil.rmtree(place.folder, ignore_errors=True)
            raise
