"""The whole state of a training on disk, so that one that was killed goes on as if nothing had happened.

One safetensors file a state, whole or absent; the two newest are kept, should the disk have damaged the last one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from rr.files import DamagedError, set_aside
from rr_torch.tensors import read_tensors, write_tensors

KEPT = 2


def save_state(folder: Path, step: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Writes `state-STEP.safetensors`; `facts` are JSON-able."""
    folder.mkdir(exist_ok=True)
    path = folder / f"state-{step:09d}.safetensors"
    temporary = path.with_suffix(".temporary")
    write_tensors(temporary, _key(path), tensors, facts)
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)
    for old in sorted(folder.glob("state-*.safetensors"))[:-KEPT]:
        old.unlink()


def newest_state(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Tensors and facts of the newest state that is whole; None where there is none. Damaged ones are named, and set
    aside."""
    for path in sorted(folder.glob("state-*.safetensors"), reverse=True):
        try:
            return read_tensors(path, _key(path))
        except DamagedError as error:
            set_aside(path, error, "going on from the state before it, or from the start")
    return None


def _key(path: Path) -> str:
    """The training and the step that a state is of."""
    return "/".join((path.parent.parent.name, path.name))
