"""The files that an option names: one, several, or some for each split."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from rr.data import DataPath

Split = Literal["train", "dev", "test"]
OneOrSeveral = DataPath | tuple[DataPath, ...]
Files = OneOrSeveral | dict[Split, OneOrSeveral]


def files_of(given: Files | None) -> list[tuple[Split | None, Path]]:
    """Each file, with the split that it is named for."""
    if given is None:
        return []
    if isinstance(given, Mapping):
        return [(split, path) for split, files in given.items() for path in _several(files)]
    return [(None, path) for path in _several(given)]


def _several(given: OneOrSeveral) -> tuple[Path, ...]:
    return (given,) if isinstance(given, Path) else given
