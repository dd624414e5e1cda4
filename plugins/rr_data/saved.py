"""Rows of Hugging Face's datasets as they lie on disk: folders that `save_to_disk` wrote, and Parquet and Arrow files,
as the Hub has them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rr import DataError
from rr.data import Row, read_json
from rr_data.arrow import arrow_rows, parquet_rows
from rr_data.found import files_in
from rr_data.sources import Split

DICT, STATE = "dataset_dict.json", "state.json"
"""Of a DatasetDict, and of a Dataset."""
SPLITS: dict[str, Split] = {"train": "train", "dev": "dev", "validation": "dev", "valid": "dev", "val": "dev"}
SPLITS |= {"development": "dev", "test": "test"}
"""What splits are called there → what they are called here."""
ENDINGS = (".parquet", ".arrow")
_NAMED = re.compile(rf"({'|'.join(SPLITS)})(?=[-._]|$)")


def is_saved(path: Path) -> bool:
    """Whether `save_to_disk` wrote the folder."""
    return (path / DICT).is_file() or (path / STATE).is_file()


def is_rows(path: Path) -> bool:
    """Whether there is anything here that `parts` can read."""
    if path.is_dir():
        return is_saved(path) or any(one.suffix in ENDINGS for one in path.rglob("*") if one.is_file())
    return path.suffix in ENDINGS


def all_files(path: Path) -> list[Path]:
    """All files that its rows are read from."""
    if (path / DICT).is_file():
        return [path / DICT, *(file for name in split_names(path) for file in all_files(path / name))]
    if (path / STATE).is_file():
        return [path / STATE, *_data_files(path)]
    return [one for one in files_in(path) if one.suffix in ENDINGS or not path.is_dir()]


def parts(path: Path) -> list[tuple[str, Callable[[], Iterator[Row]]]]:
    """Each split by its name (`""` where there is only one without a name), and what reads its rows, one at a time.

    Raises:
        DataError: there are none, or a file cannot be read.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; check the path")
    if (path / DICT).is_file():
        return [(name, _reads(_data_files(path / name))) for name in split_names(path)]
    if (path / STATE).is_file():
        return [("", _reads(_data_files(path)))]
    found: dict[str, list[Path]] = {}
    for file in all_files(path):
        name = file.name if file == path else str(file.relative_to(path))
        found.setdefault(match[1] if (match := _NAMED.search(name.lower())) else "", []).append(file)
    if not found:
        raise DataError(f"{path}: no Parquet and no Arrow file, and not written by save_to_disk; check the path")
    return [(name, _reads(files)) for name, files in found.items()]


def _reads(files: list[Path]) -> Callable[[], Iterator[Row]]:
    return lambda: _of_files(files)


def split_names(folder: Path) -> list[str]:
    """The splits of a DatasetDict, each of which is a folder inside.

    Raises:
        DataError: a name of them is none of a folder inside.
    """
    names = [str(name) for name in _json(folder / DICT).get("splits") or []]
    for name in names:
        if not (folder / name / STATE).is_file() or Path(name).name != name:
            raise DataError(f"{folder / name / STATE}: no such file, and {DICT} names split {name!r}; save it again")
    return names


def _data_files(folder: Path) -> list[Path]:
    state = _json(folder / STATE)
    if state.get("_indices_data_files"):
        raise DataError(f"{folder}: a selection of rows that an older version saved; save its flatten_indices() again")
    return [folder / Path(str(one.get("filename"))).name for one in state.get("_data_files") or []]


def _of_files(files: list[Path]) -> Iterator[Row]:
    for path in files:
        yield from parquet_rows(path) if path.suffix == ".parquet" else arrow_rows(path)


def _json(path: Path) -> dict[str, Any]:
    try:
        return Row.of(path, "top level", read_json(path)).fields
    except DataError as error:
        raise DataError(f"{error}; or save the data set again") from error
