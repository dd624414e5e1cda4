"""Vectors of texts on disk, each text encoded once, for all processes and runs that embed with the same encoder.

A folder holds shards: safetensors files of `keys` (the SHA-256 of each text) and `vectors`, whole or absent and never
changed. Their checksums are compared once, when they are opened; vectors are read when they are asked for, and only
where they stand is held.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from rr.files import DamagedError, alone, atomic_file, made, outdated, set_aside
from rr.progress import SCORED
from rr_torch.packed import packs
from rr_torch.tensors import MappedRows, read_tensors, write_tensors

SHARD_CHARACTERS, PER_TEXT = 1 << 18, 64
"""Text whose vectors are computed between two shards: what a kill can lose, some seconds of a small encoder. Each text
counts for so many characters more than it has, since the shortest one costs something too."""
SMALL_SHARD, MANY = 1 << 15, 64
"""Shards of fewer rows are merged once there are more than so many of them."""
ROWS = 1 << 32
"""More than a shard has."""

Encode = Callable[[list[str]], Tensor]


class EmbeddingStore:
    """The vectors of one encoder, shape (d,), float32. `folder` is named after everything that determines them."""

    def __init__(self, folder: Path, dimensions: int) -> None:
        self._folder, self._dimensions = folder, dimensions
        self._shards: dict[str, MappedRows] = {}
        self._names: list[str] = []
        self._places: dict[bytes, int] = {}
        """The key of a text → the place of its shard among the names, and its row there, as one number."""

    def vectors(self, texts: Sequence[str], encode: Encode) -> Tensor:
        """Shape (texts, d), in memory of their own. `encode` is called for what no process has encoded yet; it gives
        (texts, d) for distinct texts."""
        keys = [_key(text) for text in texts]
        wanted = dict(zip(keys, texts, strict=True))
        if outdated(self._folder):
            self._clear()
        if self._missing(wanted):
            self._refresh()
        if self._missing(wanted):
            with alone(self._folder):  # another process may be at it, and then the work is done when it is through
                self._refresh(tidy=True)
                self._add(sorted(self._missing(wanted)), encode)
        found = torch.empty(len(texts), self._dimensions)
        rows: dict[int, tuple[list[int], list[int]]] = {}
        for index, key in enumerate(keys):
            shard, row = divmod(self._places[key], ROWS)
            into, out_of = rows.setdefault(shard, ([], []))
            into.append(index)
            out_of.append(row)
        for shard, (into, out_of) in rows.items():
            found[into] = self._shards[self._names[shard]].take(out_of)
        return found

    def _clear(self) -> None:
        with alone(self._folder):
            for path in self._paths():
                path.unlink()
        self._shards, self._names, self._places = {}, [], {}
        made(self._folder)

    def _missing(self, wanted: dict[bytes, str]) -> list[str]:
        return [text for key, text in wanted.items() if key not in self._places]

    def _add(self, texts: list[str], encode: Encode) -> None:
        for cut in packs([len(text) + PER_TEXT for text in texts], SHARD_CHARACTERS):
            chunk = [texts[index] for index in cut]
            keys = b"".join(map(_key, chunk))
            vectors = encode(chunk).to("cpu", torch.float32).contiguous()
            self._write(torch.frombuffer(bytearray(keys), dtype=torch.uint8).view(-1, 32), vectors)
            SCORED.get()(len(chunk))
        small = [path.name for path in self._paths() if len(self._shards[path.name]) < SMALL_SHARD]
        if len(small) > MANY:
            self._merge(small)

    def _write(self, keys: Tensor, vectors: Tensor) -> None:
        path = self._folder / f"{uuid.uuid4().hex}.safetensors"
        with atomic_file(path) as temporary:
            write_tensors(temporary, self._folder.name, {"keys": keys, "vectors": vectors}, {})
        self._open(path)

    def _merge(self, names: list[str]) -> None:
        """Into shards that are not small, one at a time, for they are in memory meanwhile. Those who have mapped the
        old ones keep them until they close."""
        while names:
            some, count = list[str](), 0
            while names and count < SMALL_SHARD:
                some.append(names.pop(0))
                count += len(self._shards[some[-1]])
            keys = torch.cat([self._read(self._folder / name)["keys"].clone() for name in some])
            self._write(keys, torch.cat([self._shards[name].take() for name in some]))
            for name in some:
                (self._folder / name).unlink()
                del self._shards[name]

    def _refresh(self, tidy: bool = False) -> None:
        """Opens what has been written since. `tidy`, with the lock held: sets aside what is damaged."""
        for path in self._paths():
            if path.name in self._shards:
                continue
            try:
                self._open(path)
            except FileNotFoundError:  # merged by another process; whoever holds the lock finds all
                continue
            except DamagedError as error:
                if tidy:
                    set_aside(path, error, "its texts are encoded again")

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("*.safetensors"))

    def _open(self, path: Path) -> None:
        keys = self._read(path)["keys"].numpy().tobytes()
        self._shards[path.name] = MappedRows(path, "vectors")
        first = len(self._names) * ROWS
        self._names.append(path.name)
        for row in range(len(keys) // 32):
            self._places[keys[32 * row : 32 * row + 32]] = first + row

    def _read(self, path: Path) -> dict[str, Tensor]:
        tensors, _ = read_tensors(path, self._folder.name)
        if tensors["vectors"].shape[1:] != (self._dimensions,):
            raise DamagedError(f"vectors of shape {tuple(tensors['vectors'].shape)}")
        return tensors


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
