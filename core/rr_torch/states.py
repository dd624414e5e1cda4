"""The whole state of a training on disk, so that one that was killed goes on as if nothing had happened.

One safetensors file a state, whole or absent; the two newest are kept, should the disk have damaged the last one. The
best weights have files of their own (`best.py`), which a state names.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from rr.files import DamagedError, set_aside
from rr_torch.tensors import read_tensors, write_tensors

KEPT = 2
DIGITS = "[0-9]" * 9
"""Of a step in a file's name."""
Facts = Mapping[str, Any]
"""JSON-able."""


def save_state(folder: Path, step: int, tensors: Mapping[str, Tensor], facts: Facts) -> None:
    """Writes `state-STEP.safetensors`."""
    write_step(folder, "state", step, tensors, facts)
    for old in steps(folder, "state")[:-KEPT]:
        step_file(folder, "state", old).unlink()


def newest_state(
    folder: Path, whole: Callable[[Facts], None] = lambda facts: None
) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Tensors and facts of the newest state that is whole; None where there is none. Damaged ones are named, and set
    aside. `whole` raises DamagedError where what else the facts name is damaged."""
    for step in reversed(steps(folder, "state")):
        try:
            tensors, facts = read_step(folder, "state", step)
            whole(facts)
        except DamagedError as error:
            path = step_file(folder, "state", step)
            set_aside(path, error, "going on from the state before it, or from the start")
        else:
            return tensors, facts
    return None


def write_step(folder: Path, kind: str, step: int, tensors: Mapping[str, Tensor], facts: Facts) -> str:
    """Writes `KIND-STEP.safetensors`, whole or not at all, and gives its checksum."""
    folder.mkdir(exist_ok=True)
    path = step_file(folder, kind, step)
    temporary = path.with_suffix(".temporary")
    checksum = write_tensors(temporary, _key(path), tensors, facts)
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)
    return checksum


def read_step(
    folder: Path, kind: str, step: int, checksum: str | None = None
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """As `read_tensors`."""
    path = step_file(folder, kind, step)
    return read_tensors(path, _key(path), checksum)


def steps(folder: Path, kind: str) -> list[int]:
    """Of which there is a file, in order."""
    return sorted(map(step_of, folder.glob(f"{kind}-{DIGITS}.safetensors")))


def step_file(folder: Path, kind: str, step: int) -> Path:
    return folder / f"{kind}-{step:09d}.safetensors"


def step_of(path: Path) -> int:
    return int(path.stem[-9:])


def _key(path: Path) -> str:
    """The training and the step that a file is of."""
    return "/".join((path.parent.parent.name, path.name))
