"""The whole state of a training on disk, so that one that was killed goes on as if nothing had happened.

One safetensors file a state, whole or absent; the two newest are kept, should the disk have damaged the last one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from rr.errors import RerankError

KEPT = 2


def save_state(folder: Path, step: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Writes `state-STEP.safetensors`; `facts` are JSON-able."""
    folder.mkdir(exist_ok=True)
    path = folder / f"state-{step:09d}.safetensors"
    temporary = path.with_suffix(".temporary")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary, {"facts": json.dumps(facts)})
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)
    for old in sorted(folder.glob("state-*.safetensors"))[:-KEPT]:
        old.unlink()


def newest_state(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any], list[Path]] | None:
    """Tensors and facts of the newest state that is whole, and the damaged ones that were passed over; None where
    there is no state.

    Raises:
        RerankError: there are states, and all of them are damaged.
    """
    damaged: list[Path] = []
    for path in sorted(folder.glob("state-*.safetensors"), reverse=True):
        try:
            with safe_open(path, framework="pt") as file:
                facts = json.loads(file.metadata()["facts"])
                return {name: file.get_tensor(name) for name in file.keys()}, facts, damaged  # noqa: SIM118
        except (SafetensorError, OSError, ValueError, KeyError, TypeError):
            damaged.append(path)
    if damaged:
        names = ", ".join(str(path) for path in damaged)
        raise RerankError(f"every saved state of this training is damaged: {names}; run it again to start over")
    return None
