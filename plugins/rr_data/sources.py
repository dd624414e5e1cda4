"""The files that an option names: one, several, or some for each split."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from rr.data import DataPath

Split = Literal["train", "dev", "test"]
OneOrSeveral = DataPath | tuple[DataPath, ...]
Files = OneOrSeveral | dict[Split, OneOrSeveral]


def with_a_test(splits: dict[Split, str]) -> dict[Split, str]:
    """Files by split as `recognise` finds them: where none is called test, dev is what people test on."""
    if "test" in splits or "dev" not in splits:
        return splits
    return {**{split: path for split, path in splits.items() if split != "dev"}, "test": splits["dev"]}


def files_of(given: Files | None) -> list[tuple[Split | None, Path]]:
    """Each file, with the split that it is named for."""
    if given is None:
        return []
    if isinstance(given, Mapping):
        return [(split, path) for split, files in given.items() for path in _several(files)]
    return [(None, path) for path in _several(given)]


def _several(given: OneOrSeveral) -> tuple[Path, ...]:
    return (given,) if isinstance(given, Path) else given
