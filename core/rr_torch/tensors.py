"""Tensors on disk with their checksum, and the name of what they belong to. They are written piece by piece: the state
of a training takes three times the memory of its model."""

from __future__ import annotations

import functools
import hashlib
import json
import mmap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from rr.files import CHECKSUM, DamagedError

PIECE = 1 << 26
"""Bytes of a GPU's tensor that are in main memory at a time."""


def write_tensors(path: Path, key: str, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> str:
    """Writes a safetensors file and gives its checksum. `key`: what they belong to. `facts` are JSON-able. Of a tensor
    that is not contiguous a copy is made, one at a time; of others none."""
    # safetensors' own save_file has all tensors of a GPU in main memory at once
    told = json.dumps(facts)
    checksum = _checksum(tensors, key, told)
    header: dict[str, Any] = {"__metadata__": {"key": key, "facts": told, CHECKSUM: checksum}}
    order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))  # so that each is aligned
    end = 0
    for name in order:
        tensor = tensors[name]
        start, end = end, end + tensor.nbytes
        header[name] = {"dtype": _code(tensor.dtype), "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            file.writelines(_pieces(tensors[name]))
    return checksum


def read_tensors(path: Path, key: str, checksum: str | None = None) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors, mapped, and the facts. All bytes are read once, to be compared with the checksum: 100 MB take less
    than a tenth of a second. `checksum`: what `write_tensors` gave, where it is known.

    Raises:
        DamagedError: they are not as they were written, or belong to something else.
        FileNotFoundError: there is no such file.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise DamagedError("it is no file of ours")
    try:
        with safe_open(path, framework="pt") as file:
            said = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        facts = said.get("facts", "")
        if said.get(CHECKSUM) != _checksum(tensors, said.get("key", ""), facts):
            raise DamagedError("its checksum is of another content")
        if said["key"] != key or checksum not in (None, said[CHECKSUM]):
            raise DamagedError("it belongs to something else")
        return tensors, json.loads(facts)
    except FileNotFoundError:
        raise
    except (SafetensorError, OSError, ValueError, TypeError, RuntimeError) as error:
        raise DamagedError(str(error) or type(error).__name__) from error


class MappedRows:
    """The rows of one tensor (float32, shape (rows, d)) of a file that `read_tensors` found good: on disk until they
    are taken, and even where the file loses its name meanwhile."""

    def __init__(self, path: Path, name: str) -> None:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            told = json.loads(file.read(size))[name]
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        rows, d = told["shape"]
        values = np.frombuffer(self._map, np.float32, rows * d, 8 + size + told["data_offsets"][0])
        self._values = values.reshape(rows, d)

    def __len__(self) -> int:
        return len(self._values)

    def take(self, rows: Sequence[int] | None = None) -> Tensor:
        """These rows (None: all), copied; what was read of the file does not stay in this process's memory."""
        found = torch.from_numpy(self._values[rows] if rows is not None else self._values.copy())
        self._map.madvise(mmap.MADV_DONTNEED)
        return found


def _checksum(tensors: Mapping[str, Tensor], key: str, facts: str) -> str:
    found = hashlib.sha256(json.dumps([key, facts]).encode())
    for name, tensor in sorted(tensors.items()):
        found.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        for piece in _pieces(tensor):
            found.update(piece)
    return found.hexdigest()


def _pieces(tensor: Tensor) -> Iterator[memoryview]:
    for piece in torch.split(tensor.detach().contiguous().view(-1).view(torch.uint8), PIECE):
        yield piece.cpu().numpy().data


@functools.cache
def _code(dtype: torch.dtype) -> str:
    """What safetensors calls it."""
    header = json.loads(save({"none": torch.empty(0, dtype=dtype)})[8:])
    return str(header["none"]["dtype"])
