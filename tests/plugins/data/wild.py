"""Files as people have them: the same rows in any format."""

from __future__ import annotations

import bz2
import csv
import gzip
import json
import lzma
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
import pytest
from backports import zstd
from pyarrow import parquet

from rr.data.damage import MISSING
from rr.errors import DataError

Rows = Sequence[dict[str, Any]]


def text(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def jsonl(path: Path, rows: Rows) -> Path:
    return text(path, *(json.dumps(row, ensure_ascii=False) for row in rows))


def delimited(path: Path, rows: Rows, delimiter: str = ",") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def xlsx(path: Path, rows: Rows, sheet: str = "Sheet1", before: str | None = None) -> Path:
    """`before`: the name of another sheet that comes first."""
    workbook = openpyxl.Workbook()
    assert workbook.active is not None
    if before is not None:
        workbook.active.title = before
        workbook.active.append(["nothing"])
    made = workbook.active if before is None else workbook.create_sheet()
    made.title = sheet
    made.append(list(rows[0]))
    for row in rows:
        made.append(list(row.values()))
    path.parent.mkdir(parents=True, exist_ok=True)
    workbook.save(path)
    return path


def pq(path: Path, rows: Rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)
    return path


FORMATS: dict[str, Callable[[Path, Rows], Path]] = {
    "csv": delimited,
    "csv with semicolons": lambda path, rows: delimited(path, rows, ";"),
    "csv with bars": lambda path, rows: delimited(path, rows, "|"),
    "tsv": lambda path, rows: delimited(path, rows, "\t"),
    "jsonl": jsonl,
    "json": lambda path, rows: text(path, json.dumps(list(rows), ensure_ascii=False)),
    "json, indented": lambda path, rows: text(path, json.dumps({"_name_": "x", "items": list(rows)}, indent=1)),
    "xlsx": xlsx,
    "parquet": pq,
}
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd.compress,
}


def packed(path: Path, packer: str) -> Path:
    """The file in its packed form, beside it."""
    beside = path.with_name(f"{path.name}.{packer}")
    beside.write_bytes(PACKED[packer](path.read_bytes()))
    return beside


def fails(match: str) -> Any:
    return pytest.raises(DataError, match=match)


@contextmanager
def skipping() -> Iterator[None]:
    """As under `missing: skip`."""
    token = MISSING.set("skip")
    try:
        yield
    finally:
        MISSING.reset(token)
