"""Rows of Parquet and Arrow files, a batch at a time."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from rr import DataError
from rr.data import Row, opened

BATCH = 1000


def parquet_rows(path: Path) -> Iterator[Row]:
    """
    Raises:
        DataError: pyarrow is not installed, or the file is damaged.
    """
    return _rows(path, "Parquet", _parquet_batches)


def arrow_rows(path: Path) -> Iterator[Row]:
    """
    Raises:
        DataError: as `parquet_rows`.
    """
    return _rows(path, "Arrow", _arrow_batches)


def _rows(path: Path, kind: str, batches: Callable[[IO[bytes]], Iterator[Any]]) -> Iterator[Row]:
    try:
        import pyarrow
    except ImportError as error:
        raise DataError(f"{path}: of {kind}; pip install pyarrow to read it, or save it as CSV") from error
    number = 0
    with opened(path) as file:
        try:
            for batch in batches(file):
                for fields in batch.to_pylist():
                    number += 1
                    yield Row.of(path, f"row {number}", fields)
        except (pyarrow.ArrowException, EOFError, ValueError) as error:
            raise DataError(f"{path}: not whole {kind} ({_line(error)}); fetch it again") from error


def _parquet_batches(file: IO[bytes]) -> Iterator[Any]:
    from pyarrow import parquet

    # it is read from its end, which of a packed file is not known before all is unpacked
    plain = isinstance(file, io.BufferedReader) and isinstance(file.raw, io.FileIO)
    yield from parquet.ParquetFile(file if plain else io.BytesIO(file.read())).iter_batches(BATCH)


def _arrow_batches(file: IO[bytes]) -> Iterator[Any]:
    from pyarrow import ipc

    start = file.read(6)
    file.seek(0)
    if start == b"ARROW1":
        reader = ipc.open_file(file)
        yield from map(reader.get_batch, range(reader.num_record_batches))
    else:
        yield from ipc.open_stream(file)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
