"""Rows of Hugging Face's datasets as they lie on disk: folders that `save_to_disk` wrote, and Parquet and Arrow files,
as the Hub has them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rr import DataError
from rr.data import Row, opened
from rr_data.found import files_in
from rr_data.sources import Split

BATCH = 1000
SPLITS: dict[str, Split] = {"train": "train", "dev": "dev", "validation": "dev", "valid": "dev", "val": "dev"}
SPLITS |= {"development": "dev", "test": "test"}
"""What splits are called there → what they are called here."""
ENDINGS = (".parquet", ".arrow")
_NAMED = re.compile(rf"({'|'.join(SPLITS)})(?=[-._]|$)")


def is_saved(path: Path) -> bool:
    """Whether `save_to_disk` wrote the folder."""
    return (path / "dataset_dict.json").is_file() or (path / "state.json").is_file()


def is_rows(path: Path) -> bool:
    """Whether there is anything here that `parts` can read."""
    if path.is_dir():
        return is_saved(path) or any(one.suffix in ENDINGS for one in path.rglob("*") if one.is_file())
    return path.suffix in ENDINGS


def all_files(path: Path) -> list[Path]:
    """All files that its rows are read from."""
    found = files_in(path)
    return found if is_saved(path) or not path.is_dir() else [one for one in found if one.suffix in ENDINGS]


def parts(path: Path) -> list[tuple[str, Callable[[], Iterator[Row]]]]:
    """Each split by its name (`""` where there is only one without a name), and what reads its rows, one at a time.

    Raises:
        DataError: there are none, or a file cannot be read.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; check the path")
    if (path / "dataset_dict.json").is_file():
        named = _json(path / "dataset_dict.json").get("splits") or []
        return [(str(name), _reads(_of_saved, path / str(name))) for name in named]
    if (path / "state.json").is_file():
        return [("", _reads(_of_saved, path))]
    found: dict[str, list[Path]] = {}
    for file in all_files(path):
        name = file.name if file == path else str(file.relative_to(path))
        found.setdefault(match[1] if (match := _NAMED.search(name.lower())) else "", []).append(file)
    if not found:
        raise DataError(f"{path}: no Parquet and no Arrow file, and not written by save_to_disk; check the path")
    return [(name, _reads(_of_files, files)) for name, files in found.items()]


def _reads(read: Callable[[Any], Iterator[Row]], source: Path | list[Path]) -> Callable[[], Iterator[Row]]:
    return lambda: read(source)


def _of_saved(folder: Path) -> Iterator[Row]:
    try:
        import datasets
    except ImportError as error:
        raise DataError(f"{folder}: written by save_to_disk; pip install datasets to read it") from error
    try:
        # as it lies there, memory-mapped: nothing is decoded that no one asks for
        saved = datasets.load_from_disk(str(folder)).with_format("arrow")
    except Exception as error:  # of any kind, for it checks little of what it meets
        raise DataError(f"{folder}: cannot be read ({_line(error)}); save it again by save_to_disk") from error
    yield from _numbered(folder, saved.iter(BATCH))


def _of_files(files: list[Path]) -> Iterator[Row]:
    try:
        import pyarrow
        from pyarrow import ipc, parquet
    except ImportError as error:
        raise DataError(f"{files[0]}: pip install pyarrow to read it") from error
    for path in files:
        with opened(path) as file:
            try:
                if path.suffix == ".parquet":
                    yield from _numbered(path, parquet.ParquetFile(file).iter_batches(BATCH))
                else:
                    start = file.read(6)
                    file.seek(0)
                    reader = ipc.open_file(file) if start == b"ARROW1" else ipc.open_stream(file)
                    batches = map(reader.get_batch, range(reader.num_record_batches)) if start == b"ARROW1" else reader
                    yield from _numbered(path, batches)
            except (pyarrow.ArrowException, EOFError, ValueError) as error:
                kind = path.suffix.removeprefix(".")
                raise DataError(f"{path}: not whole {kind} ({_line(error)}); fetch it again") from error


def _numbered(path: Path, batches: Any) -> Iterator[Row]:
    number = 0
    for batch in batches:
        for fields in batch.to_pylist():
            number += 1
            yield Row.of(path, f"row {number}", fields)


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({_line(error)}); save the data set again") from error
    return found if isinstance(found, dict) else {}


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
