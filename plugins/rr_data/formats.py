"""Rows of any file that holds rows: CSV, TSV, XLSX, Parquet, JSONL, JSON in one piece, and folders that
`save_to_disk` wrote. Which of them a file is, its
first bytes say, whatever it is called; text may be packed."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from rr import DataError
from rr.data import Damage, Row, lines, nfc, opened, parse_json, read_text
from rr_data.arrow import parquet_rows
from rr_data.saved import all_files, is_saved, parts
from rr_data.tables import header, sniffed, table_rows
from rr_data.workbook import sheet_lines

Form = Literal["parquet", "xlsx", "json", "jsonl", "delimited", "saved"]


@dataclass(frozen=True, slots=True)
class Layout:
    """What a file does not tell of itself. `delimiter`: None has it told by the first rows. `columns`: their names,
    where a table has no header."""

    delimiter: str | None = None
    sheet: str | int = 1
    columns: tuple[str, ...] = ()


PLAIN = Layout()


def form_of(path: Path) -> Form:
    """
    Raises:
        DataError: as `opened`.
    """
    if is_saved(path):
        return "saved"
    with opened(path) as file:
        start = file.read(2**16)
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith(b"PK\x03\x04"):
        return "xlsx"
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"["):
        return "json"
    if text.startswith(b"{"):
        return "jsonl" if _is_lines(path) else "json"
    return "delimited"


def _is_lines(path: Path) -> bool:
    """Whether the first line is an object of its own, and not the whole file, nor the beginning of one."""
    first = [text for _, text in islice(((n, text) for n, text in lines(path) if text.strip()), 2)]
    ended = first[0].rstrip().endswith("}")
    return ended and (len(first) > 1 or _records(_parsed(first[0], path)) is None)


def _parsed(text: str, path: Path) -> Any:
    try:
        return parse_json(text, str(path), constants=True)
    except DataError:  # which reading it will tell, with its line
        return None


def files_behind(path: Path) -> list[Path]:
    """All files that its rows are read from: itself, or those of a folder that `save_to_disk` wrote."""
    return all_files(path) if is_saved(path) else [path]


def rows_of(path: Path, layout: Layout = PLAIN, damage: Damage | None = None) -> Iterator[Row]:
    """One row after the other, by its columns or keys; blank rows are passed over. What is no row, or has more cells
    than there are columns, is noted as `damage`, if that is given.

    Raises:
        DataError: as `opened`, or the file is not what its first bytes promise.
    """
    form = form_of(path)
    if form == "parquet":
        return _parquet(path)
    if form == "xlsx":
        return _sheet(path, layout)
    if form == "saved":
        return _saved(path)
    if form == "delimited":
        delimiter, quoted = sniffed(path)
        if layout.delimiter is not None and layout.delimiter != delimiter:
            delimiter, quoted = layout.delimiter, layout.delimiter != "\t"
        return table_rows(path, delimiter, quoted, damage=damage, columns=layout.columns)
    return _json(path, form, damage)


def first_cells(path: Path, layout: Layout = PLAIN) -> list[str]:
    """The cells of the first line of a file of delimited text, be they names of columns or not; none of another one."""
    if form_of(path) != "delimited":
        return []
    delimiter = layout.delimiter or sniffed(path)[0]
    first = next(text for _, text in lines(path) if text.strip())
    return [nfc(cell).strip() for cell in next(csv.reader([first], delimiter=delimiter))]


@dataclass(frozen=True, slots=True)
class Head:
    """What a look at a file shows: all its columns, in their order, and its first rows that can be read."""

    columns: list[str]
    rows: list[Row]


def head_of(path: Path, layout: Layout = PLAIN, count: int = 50) -> Head:
    """A table says its columns at once; of JSON, the last object may be the first that has a key.

    Raises:
        DataError: as `rows_of`.
    """
    found = rows_of(path, layout, Damage())
    rows = list(islice(found, count))
    columns = dict.fromkeys(key for row in rows for key in row.fields)
    columns = columns or dict.fromkeys(first_cells(path, layout))  # no row has as many cells as the header
    if form_of(path) in ("json", "jsonl"):
        for row in found:
            columns |= dict.fromkeys(row.fields)
    return Head(list(columns), rows)


def _saved(path: Path) -> Iterator[Row]:
    several = parts(path)
    if len(several) > 1 or several[0][0]:
        names = " and ".join(str(path / name) for name, _ in several)
        raise DataError(f"{path}: holds splits; name the folders of those that you want, {names}, by split")
    for row in several[0][1]():
        yield Row(row.file, row.at, {key: _filled(value) for key, value in row.fields.items()})


def _parquet(path: Path) -> Iterator[Row]:
    empty = True
    for row in parquet_rows(path):
        empty = False
        yield Row(row.file, row.at, {key: _filled(value) for key, value in row.fields.items()})
    if empty:
        raise DataError(f"{path}: no rows; fetch or write the file again")


def _sheet(path: Path, layout: Layout) -> Iterator[Row]:
    cells = iter(sheet_lines(path, layout.sheet))
    columns, number = layout.columns, 0
    for number, line in enumerate(cells, 1):
        if not any(cell is not None and str(cell).strip() for cell in line):
            continue
        if not columns:
            columns = tuple(header(path, line, ()))
            continue
        filled = dict.fromkeys(columns) | dict(zip(columns, line, strict=False))
        yield Row(path, f"row {number}", filled)
    if not number:
        raise DataError(f"{path}: the sheet is empty; name another one as `sheet`")


def _json(path: Path, form: Form, damage: Damage | None) -> Iterator[Row]:
    for at, text, value in _lines(path) if form == "jsonl" else _items(path):
        with damage.row() if damage else nullcontext():
            line = int(at.split()[1])
            row = Row.of(path, at, value if text is None else parse_json(text, str(path), line, constants=True))
            yield Row(path, at, {key: _filled(one) for key, one in row.fields.items()})


def _lines(path: Path) -> Iterator[tuple[str, str | None, Any]]:
    return ((f"line {number}", text, None) for number, text in lines(path) if text.strip())


def _items(path: Path) -> Iterator[tuple[str, str | None, Any]]:
    value = parse_json(read_text(path), str(path), constants=True)
    items = _records(value)
    if items is None and isinstance(value, Mapping) and all(isinstance(one, str) for one in value.values()):
        items = [{"id": key, "text": text} for key, text in value.items()]
    if not items:
        raise DataError(f"{path}: expected a JSON list of objects, found {str(value)[:40]!r}; give the list")
    return ((f"item {number}", None, item) for number, item in enumerate(items, 1))


def _records(value: Any) -> Sequence[Any] | None:
    """The rows of JSON in one piece: a list; the only list of objects in an object; or an object of objects by id."""
    if isinstance(value, list):
        return value
    if not isinstance(value, Mapping) or not value:
        return None
    lists = [one for one in value.values() if isinstance(one, list) and one and isinstance(one[0], dict)]
    if len(lists) == 1:
        return lists[0]
    if len(value) > 1 and all(isinstance(one, Mapping) for one in value.values()):
        return [{"id": key, **one} for key, one in value.items()]
    return None


def _filled(value: Any) -> Any:
    """pandas writes an absent number as NaN, and whole numbers beside one as fractions."""
    if isinstance(value, float):
        return None if math.isnan(value) else int(value) if value.is_integer() else value
    return value
