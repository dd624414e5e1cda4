"""What all readers share: files into text, JSON, CSV and plain columns, with errors that name the file and the line."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

from rr.data.rows import Row, missing
from rr.errors import DataError
from rr.types import nfc


def _expanded(path: object) -> object:
    if not isinstance(path, (str, Path)):
        return path  # pydantic says what is wrong with it
    try:
        return Path(re.sub(r"\$\{(\w+)\}", _variable, str(path))).expanduser()
    except RuntimeError as error:
        raise ValueError(f"no home folder is known for {str(path)!r}; write the whole path") from error


def _variable(match: re.Match[str]) -> str:
    value = os.environ.get(match[1])
    if not value:
        raise ValueError(f"environment variable {match[1]} is not set; export {match[1]}=FOLDER")
    return value


DataPath = Annotated[Path, BeforeValidator(_expanded)]
"""A path in a registry.yaml; `${VAR}` and `~` are filled in when the settings are checked."""


def read_bytes(path: Path) -> bytes:
    """
    Raises:
        DataError: the file is missing, is a folder, cannot be read, or is empty.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file; check the path")
    if not path.is_file():
        raise DataError(f"{path}: not a file; give the path of the file itself")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; check its permissions") from error
    if not content.strip():
        raise DataError(f"{path}: the file is empty; fetch or write it again")
    return content


def read_text(path: Path) -> str:
    """The file's text without a byte-order mark, every line end a plain newline.

    Raises:
        DataError: as `read_bytes`, or the text is not UTF-8.
    """
    content = read_bytes(path)
    # UTF-16 without a byte-order mark may decode as UTF-8, but every ASCII character brings a NUL byte.
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content:
        raise DataError(f"{path}: looks like UTF-16, not UTF-8; save it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: byte 0x{content[error.start]:02x} is not UTF-8; save it as UTF-8"
        ) from error
    if not text.strip():
        raise DataError(f"{path}: the file is empty; fetch or write it again")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: Path) -> Any:
    """
    Raises:
        DataError: as `read_text`, or the content is not JSON.
    """
    return _parsed(path, read_text(path))


def read_jsonl(path: Path) -> list[Row]:
    """One JSON object a line; blank lines are passed over.

    Raises:
        DataError: as `read_text`, or a line is not a JSON object.
    """
    return parse_jsonl(path, read_text(path))


def parse_jsonl(path: Path, text: str) -> list[Row]:
    """The rows of JSONL text that is already at hand; `path` is what errors call it."""
    # Not str.splitlines: JSON may hold U+2028 and its kind inside a string.
    return [
        Row.of(path, f"line {number}", _parsed(path, line, number))
        for number, line in enumerate(text.split("\n"), 1)
        if line.strip()
    ]


def read_records(path: Path) -> list[Row]:
    """The objects of a JSON list, or of JSONL, whichever the file holds.

    Raises:
        DataError: as `read_jsonl`.
    """
    if not read_text(path).lstrip().startswith("["):
        return read_jsonl(path)
    return [Row.of(path, f"item {number}", item) for number, item in enumerate(read_json(path), 1)]


def _parsed(path: Path, text: str, line: int = 1) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        at = f"line {line + error.lineno - 1}"
        raise DataError(f"{path}, {at}: not JSON ({error.msg} at column {error.colno}); mend it") from error


def read_table(path: Path, required: Sequence[str], delimiter: str = ",") -> list[Row]:
    """The rows below the header of a CSV file, or of a TSV file (where quotes are plain characters). Columns
    that are not required may be there too; blank rows are passed over.

    Raises:
        DataError: as `read_text`; a required column is missing; a row has more or fewer cells than the
            header; or there are no rows.
    """
    # A cell may hold a whole document; the csv module refuses cells above 128 KiB unless told otherwise.
    csv.field_size_limit(2**31 - 1)
    reader = csv.reader(
        io.StringIO(read_text(path)),
        delimiter=delimiter,
        quoting=csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL,
        strict=True,
    )
    columns: list[str] = []
    rows = []
    line = 1  # of the record's beginning: a quoted cell may run over several lines
    try:
        for cells in reader:
            at, line = f"line {line}", reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = header(path, cells, required)
            elif len(cells) != len(columns):
                problem = f"{len(cells)} cells under {len(columns)} columns"
                raise DataError(f"{path}, {at}: {problem}; check the {delimiter!r} in it")
            else:
                rows.append(Row(path, at, dict(zip(columns, cells, strict=True))))
    except csv.Error as error:
        raise DataError(f"{path}, line {line}: not CSV ({error}); mend the quotes") from error
    if not rows:
        raise DataError(f"{path}: no rows below the header; fetch or write the file again")
    return rows


def header(path: Path, cells: Sequence[object], required: Sequence[str]) -> list[str]:
    """The column names of a table, NFC-normalised; an empty cell names no column and becomes "".

    Raises:
        DataError: a required column is missing, or a name comes twice.
    """
    columns = ["" if cell is None else nfc(str(cell)).strip() for cell in cells]
    named = [column for column in columns if column]
    for column in required:
        if column not in named:
            raise DataError(f"{path}: {missing('column', [column], named)}")
    for column in named:
        if named.count(column) > 1:
            raise DataError(f"{path}: column {column!r} comes twice; rename one")
    return columns


def read_columns(path: Path, columns: Sequence[str], separator: str | None = None) -> list[Row]:
    """Lines of columns without a header, as in TREC files; a `separator` of None means any run of blanks.

    Raises:
        DataError: as `read_text`, or a line has more or fewer columns.
    """
    rows = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        cells = line.split(separator)
        row = Row(path, f"line {number}", dict(zip(columns, cells, strict=False)))
        if len(cells) != len(columns):
            raise row.error(f"{len(cells)} columns; write {len(columns)}: {' '.join(columns)}")
        rows.append(row)
    return rows
