"""The best weights of a training so far, on disk: memory has no room for another set of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from torch import Tensor

from rr.errors import PluginError
from rr.files import DamagedError, set_aside
from rr.training.processes import rank
from rr_torch import parallel
from rr_torch.sharding import whole
from rr_torch.states import DIGITS, read_step, step_file, step_of, steps, write_step

Weights = dict[str, Tensor]


@dataclass
class Kept:
    """`best-STEP.safetensors` in the folder of the states. A state names the file that it goes with by `told`, and as
    long as it is there, so is that one: a training that goes on from an older state has the best weights of then."""

    folder: Path
    step: int = 0
    """Of the evaluation that they are of."""
    sha256: str | None = None
    """None: there are none yet, or another process has written them."""

    def keep(self, step: int, weights: Weights) -> None:
        """In place of those before. They are on the disk when this returns."""
        self.step, self.sha256 = step, None
        weights = whole(weights)
        if rank() > 0:
            return
        self.sha256 = write_step(self.folder, "best", step, weights, {})
        states = steps(self.folder, "state")
        for old, newer in pairwise(steps(self.folder, "best")):
            if not any(old <= state < newer for state in states):
                step_file(self.folder, "best", old).unlink()

    def weights(self) -> Weights:
        """Mapped from the file; in all but the first process a copy in main memory.

        Raises:
            PluginError: it is not as it was written.
        """
        return dict(parallel.sent(self._read() if rank() == 0 else {}))

    def _read(self) -> Weights:
        try:
            return read_step(self.folder, "best", self.step, self.sha256)[0]
        except (DamagedError, FileNotFoundError) as error:
            path = step_file(self.folder, "best", self.step)
            raise PluginError(
                f"{path} is damaged ({error}); train again: that goes on from the last state that is whole"
            ) from error

    def check(self) -> None:
        """
        Raises:
            DamagedError: they are not as they were written. They are named, and set aside.
        """
        if self.sha256 is None:
            return
        path = step_file(self.folder, "best", self.step)
        try:
            read_step(self.folder, "best", self.step, self.sha256)
        except FileNotFoundError as error:
            raise DamagedError(f"its best weights, {path.name}, are gone") from error
        except DamagedError as error:
            set_aside(path, error, "no state that names it can be gone on from")
            raise DamagedError(f"its best weights, {path.name}, are damaged") from error

    def told(self) -> dict[str, Any]:
        return {"step": self.step, "sha256": self.sha256}


def forget_after(folder: Path, step: int) -> None:
    """Removes what an interrupted sitting kept after the state that is gone on from: this one may find other weights
    the best (on more processes, say)."""
    if rank() == 0:
        for path in folder.glob(f"best-{DIGITS}.*"):
            if step_of(path) > step:
                path.unlink()
