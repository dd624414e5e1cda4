"""Trainings under observation: what they told, wrote and changed. They run as those of a bench do: with a home of
their own inside the folder, on data without a test split."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from rr.errors import PluginError
from rr.protocols import STATE, TrainingEvent
from rr.types import Dataset
from rr_bench.border.untouched import unchanged
from rr_bench.data.view import shown, without_test
from rr_bench.keeping import home_at
from rr_bench.testing.examples import small
from rr_bench.testing.probe import changed, process
from rr_bench.testing.process import other_chance
from rr_bench.testing.subject import Subject
from rr_bench.testing.writes import written_elsewhere
from rr_bench.train.checkpoints import written_files
from rr_bench.train.workplace import KEPT

SPARED = ("random's state",)
"""What is another check's."""
WEIGHTS = (".safetensors", ".npz", ".npy", ".bin", ".pt", ".onnx")
"""Files that hold nothing but numbers, which must be the same to the last bit."""


@dataclass(frozen=True)
class Training:
    """`files`: of the checkpoint, name → checksum. `changed`: what of the process is otherwise than before. `touched`:
    what of the data, as an error says it. `elsewhere`: what was written outside of the folder."""

    folder: Path
    events: tuple[TrainingEvent, ...]
    files: dict[str, str]
    changed: tuple[str, ...]
    touched: str
    elsewhere: tuple[str, ...]

    @property
    def weights(self) -> dict[str, str]:
        return {name: checksum for name, checksum in self.files.items() if Path(name).suffix in WEIGHTS}


class StoppedError(BaseException):
    """As Ctrl-C: no trainer is to handle it."""


@cache
def taught() -> Dataset:
    """The examples as a bench shows them to trainers."""
    return without_test(shown(small()))


def train(
    subject: Subject,
    name: str,
    dataset: Dataset,
    told: Callable[[TrainingEvent], None] = lambda event: None,
) -> Training:
    """Trains on the data set into a new folder `name` of the workspace, or goes on in one that was begun. `told` is
    told each event, and may raise StoppedError. Raises what the trainer raises, and leaves then what lies there."""
    assert subject.trainer is not None
    out = subject.workspace / name
    out.mkdir(parents=True, exist_ok=True)
    events: list[TrainingEvent] = []

    def on_event(event: TrainingEvent) -> None:
        events.append(event)
        told(event)

    touched = ""
    with (
        _put_back(),
        home_at(out / KEPT),
        _elsewhere(subject) as there,
        written_elsewhere([out, there]) as elsewhere,
    ):
        before = process()
        try:
            with unchanged((dataset, *dataset.documents.values(), *dataset.queries.values())):
                subject.trainer(subject.training, subject.settings).train(dataset, out, on_event)
        except PluginError as error:
            if "changed data that it was only shown" not in str(error):
                raise
            touched = str(error)
        left = [str(path.relative_to(there)) for path in sorted(there.rglob("*")) if path.is_file()]
        different = [one for one in changed(before, process()) if one not in SPARED]
    for own in (STATE, KEPT):
        shutil.rmtree(out / own, ignore_errors=True)
    files = written_files(out) if out.is_dir() else {}
    return Training(out, tuple(events), files, tuple(different), touched, (*elsewhere, *left))


class Trainings:
    """Of a subject, those that several checks look at. Raise what the trainer raises."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject

    @cached_property
    def first(self) -> Training:
        return train(self._subject, "checkpoint", taught())

    @cached_property
    def again(self) -> Training:
        """Once more, with all that it needs imported and other states of random generators."""
        _ = self.first
        with other_chance(20_261):
            return train(self._subject, "again", taught())


def cleared(folder: Path) -> bool:
    """Leaves of a training that was stopped what the next one is given, as a bench does; whether that is anything."""
    for left in folder.iterdir():
        if left.name not in (STATE, KEPT):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    return any((folder / STATE).glob("*")) if (folder / STATE).is_dir() else False


@contextmanager
def _put_back() -> Iterator[None]:
    """Afterwards the process is as it was, so that the next training is seen to change it, too; what a first one
    imports may have its own reasons to."""
    variables, filters, path = dict(os.environ), list(warnings.filters), list(sys.path)
    level, disabled = logging.getLogger().level, logging.root.manager.disable
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(variables)
        warnings.filters[:] = filters  # type: ignore[index]
        sys.path[:] = path
        logging.getLogger().setLevel(level)
        logging.disable(disabled)


@contextmanager
def _elsewhere(subject: Subject) -> Iterator[Path]:
    """The block runs in an empty folder, unless a setting names something by a relative path; so are temporary files
    of another one: both lie in the folder that is given."""
    before, temporary = Path.cwd(), tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="rr-testing-") as folder:
        here, tempfile.tempdir = Path(folder) / "the working folder", str(Path(folder) / "the temporary folder")
        here.mkdir()
        Path(tempfile.tempdir).mkdir()
        if not any(_relative(one.model_dump()) for one in (subject.settings, subject.training) if one is not None):
            os.chdir(here)
        try:
            yield Path(folder)
        finally:
            os.chdir(before)
            tempfile.tempdir = temporary


def _relative(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_relative, value.values()))
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return any(map(_relative, value))
    if not isinstance(value, str | Path) or not str(value) or Path(value).is_absolute():
        return False
    with suppress(OSError, ValueError):  # a text that could be no path
        return Path(value).exists()
    return False
