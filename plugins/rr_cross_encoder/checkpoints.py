"""`checkpoint-N/`: the models of the last saves, each a folder that is loaded by itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from rr.files import atomic_folder
from rr.training import STATE

NAME = "checkpoint-"


class Checkpoints:
    """The newest `limit` of them. They are made beside the states, which alone outlive a kill, and put into `out` at
    the end."""

    def __init__(self, out: Path, limit: int) -> None:
        self._out, self._limit = out, limit

    def save(self, step: int, write: Callable[[Path], None]) -> None:
        """To be called before the state of this step is saved, so that none is missing to the one that goes on.
        `write` saves the model as it is into an empty folder."""
        folder = self._out / STATE / f"{NAME}{step}"
        shutil.rmtree(folder, ignore_errors=True)  # of a sitting that did not come to save its state
        with atomic_folder(folder) as made:
            write(made)
        kept = [one for one in sorted(self._steps()) if one <= step][-self._limit :]
        for other in self._steps() - set(kept):
            shutil.rmtree(self._out / STATE / f"{NAME}{other}")

    def show(self) -> None:
        """Puts them into `out`; they stay where they were made, too, for a kill before the training is published."""
        for step in self._steps():
            name = f"{NAME}{step}"
            shutil.copytree(self._out / STATE / name, self._out / name, copy_function=_link)

    def notes(self) -> list[str]:
        return (
            []
            if self._steps()
            else [f"no {NAME}N was kept: the training ended before its first save; lower save_steps"]
        )

    def _steps(self) -> set[int]:
        return {int(folder.name.removeprefix(NAME)) for folder in (self._out / STATE).glob(f"{NAME}*")}


def _link(source: str, target: str) -> None:
    """The same file under another name, for it may have gigabytes; a copy where the file system knows no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
