"""What all readers share: files into text, JSON, CSV and plain columns, with errors that name the file and the line."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from rr.data.json_limits import TOO_DEEP, json_problem
from rr.data.rows import Row, missing
from rr.errors import DataError
from rr.registry.expansion import expanded, path_as_written
from rr.types import nfc


def _expanded(path: object) -> object:
    return expanded(str(path)) if isinstance(path, (str, Path)) else path  # pydantic says what is wrong with it


DataPath = Annotated[
    Path, BeforeValidator(_expanded), PlainSerializer(path_as_written, return_type=str, when_used="json")
]
"""A path in a registry.yaml; `${VAR}` and `~` are filled in when the settings are checked, and JSON (`rr info`, the
record of a checkpoint) has the path as it is written."""


def checked_file(path: Path) -> Path:
    """
    Raises:
        DataError: the file is missing, or is a folder.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file; check the path")
    if not path.is_file():
        raise DataError(f"{path}: not a file; give the path of the file itself")
    return path


def read_bytes(path: Path) -> bytes:
    """
    Raises:
        DataError: the file is missing, is a folder, cannot be read, or is empty.
    """
    try:
        content = checked_file(path).read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error
    if not content.strip():
        raise empty(path)
    return content


def read_text(path: Path) -> str:
    """The file's text without a byte-order mark, every line end a plain newline.

    Raises:
        DataError: as `read_bytes`, or the text is not UTF-8.
    """
    return decoded_text(path, read_bytes(path))


def decoded_text(path: Path, content: bytes) -> str:
    """As `read_text`, of content that is already at hand; `path` is what errors call it.

    Raises:
        DataError: the text is blank or not UTF-8.
    """
    text = decoded(path, content)
    if not text.strip():
        raise empty(path)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def decoded(path: Path, content: bytes, first_line: int = 1) -> str:
    # UTF-16 without a byte-order mark may decode as UTF-8, but every ASCII character brings a NUL byte.
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content:
        raise DataError(f"{path}: looks like UTF-16, not UTF-8; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + first_line
        raise DataError(
            f"{path}, line {line}: byte 0x{content[error.start]:02x} is not UTF-8; save it as UTF-8"
        ) from error


def unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path}: {error.strerror}; check its permissions")


def empty(path: Path) -> DataError:
    return DataError(f"{path}: the file is empty; fetch or write it again")


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
    return [json_row(path, line, number) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


def json_row(path: Path, line: str, number: int) -> Row:
    """
    Raises:
        DataError: the line is not a JSON object.
    """
    return Row.of(path, f"line {number}", _parsed(path, line, number))


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"(\s*:)?|[{}]|-?Infinity|NaN|-?[0-9][0-9.eE+-]*')


def _parsed(path: Path, text: str, line: int = 1) -> Any:
    return parse_json(text, str(path), line)


def parse_json(text: str, source: str, line: int = 1, constants: bool = False) -> Any:
    """JSON as RFC 8259 has it: NaN and Infinity are none (unless `constants`), nor is a number beyond a float;
    a key that comes twice in an object would silently lose a value. `source`, `line`: of the text, for errors.

    Raises:
        DataError: the text is not such JSON; in one line that names the source and the line.
    """
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_float=None if constants else _finite,
            parse_constant=None if constants else _finite,
        )
    except json.JSONDecodeError as error:
        at = f"line {line + error.lineno - 1}"
        raise DataError(f"{source}, {at}: not JSON ({error.msg} at column {error.colno}); mend it") from error
    except _RefusedError as error:
        raise DataError(f"{source}, line {line + _lines_before(text, constants)}: {error}") from error
    except RecursionError as error:
        raise DataError(f"{source}, line {line}: {TOO_DEEP}") from error
    except ValueError as error:  # what is left: Python's limit of digits
        raise DataError(f"{source}, line {line}: holds a number of thousands of digits; write it as text") from error
    problem = json_problem(value, text)
    if problem:
        raise DataError(f"{source}, line {line}: {problem}")
    return value


class _RefusedError(Exception):
    """What the JSON module would take."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for place, key in enumerate(keys) if key in keys[:place])
        raise _RefusedError(f"key {twice[:40]!r} comes twice in one object; keep one of them")
    return found


def _finite(spelled: str) -> float:
    number = float(spelled)
    if not math.isfinite(number):
        raise _RefusedError(f"{spelled[:40]} is no finite number; write one, or null")
    return number


def _lines_before(text: str, constants: bool) -> int:
    """The newlines before the first thing that is refused, which the JSON module does not tell the place of."""
    objects: list[set[str]] = []
    for token in _TOKEN.finditer(text):
        found = token[0]
        if found == "{":
            objects.append(set())
        elif found == "}":
            objects.pop()
        elif token[1] is not None:
            key = json.loads(found.rstrip(":").rstrip())
            if key in objects[-1]:
                return text.count("\n", 0, token.start())
            objects[-1].add(key)
        elif not constants and found[0] != '"' and not math.isfinite(float(found)):
            return text.count("\n", 0, token.start())
    return 0


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
    lines = enumerate(read_text(path).split("\n"), 1)
    return [column_row(path, line, number, columns, separator) for number, line in lines if line.strip()]


_BLANKS = re.compile(f"[{re.escape(string.whitespace)}]+")


def column_row(path: Path, line: str, number: int, columns: Sequence[str], separator: str | None = None) -> Row:
    """
    Raises:
        DataError: the line has more or fewer columns.
    """
    # not str.split(): to that, a no-break space would be a blank, and an id may hold one
    cells = line.split(separator) if separator else _BLANKS.split(line.strip(string.whitespace))
    row = Row(path, f"line {number}", dict(zip(columns, cells, strict=False)))
    if len(cells) != len(columns):
        raise row.error(f"{len(cells)} columns; write {len(columns)}: {' '.join(columns)}")
    return row
