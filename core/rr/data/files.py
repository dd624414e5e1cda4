"""What all readers share: files into text, JSON and plain columns, with errors that name the file and the line."""

import re
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from rr.data.rows import Row
from rr.data.strict_json import parse_json
from rr.errors import DataError
from rr.registry.expansion import expanded, path_as_written

EMPTY = "the file is empty; fetch or write it again"
DataPath = Annotated[
    Path,
    BeforeValidator(lambda path: expanded(str(path)) if isinstance(path, str | Path) else path),
    PlainSerializer(path_as_written, return_type=str, when_used="json"),
]
"""A path in a registry.yaml; `${VAR}` and `~` are filled in when the settings are checked, and JSON (`rr info`, the
record of a checkpoint) has the path as it is written."""


def checked_file(path: Path) -> Path:
    """The path, if it is that of a file."""
    if not path.exists():
        raise DataError(f"{path}: no such file; check the path")
    if not path.is_file():
        raise DataError(f"{path}: not a file; give the path of the file itself")
    return path


def read_bytes(path: Path) -> bytes:
    """Raises DataError where the file is missing, is a folder, cannot be read, or is empty."""
    try:
        content = checked_file(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; check its permissions") from error
    if not content.strip():
        raise DataError(f"{path}: {EMPTY}")
    return content


def read_text(path: Path) -> str:
    """The file's text without a byte-order mark, of plain newlines. Raises DataError: as `read_bytes`, or no UTF-8."""
    return decoded_text(path, read_bytes(path))


def decoded_text(path: Path, content: bytes) -> str:
    """As `read_text`, of content that is already at hand; `path` is what errors call it."""
    text = decoded(path, content)
    if not text.strip():
        raise DataError(f"{path}: {EMPTY}")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def decoded(path: Path, content: bytes, first_line: int = 1) -> str:
    # UTF-16 without a byte-order mark may decode as UTF-8, but every ASCII character brings a NUL byte.
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content:
        raise DataError(f"{path}: looks like UTF-16, not UTF-8; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, byte = content[: error.start].count(10) + first_line, content[error.start]  # 10: a newline
        raise DataError(f"{path}, line {line}: byte 0x{byte:02x} is not UTF-8; save it as UTF-8") from error


def read_json(path: Path) -> Any:
    """Raises DataError: as `read_text`, or the content is not JSON."""
    return parse_json(read_text(path), str(path))


def read_jsonl(path: Path) -> list[Row]:
    """One JSON object a line; blank ones are passed over. Raises DataError: as `read_text`, or a line is no object."""
    return parse_jsonl(path, read_text(path))


def parse_jsonl(path: Path, text: str) -> list[Row]:
    """The rows of JSONL text that is already at hand; `path` is what errors call it."""
    # Not str.splitlines: JSON may hold U+2028 and its kind inside a string.
    return [json_row(path, line, number) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


def json_row(path: Path, line: str, number: int) -> Row:
    """The line's JSON object, or else a DataError."""
    return Row.of(path, f"line {number}", parse_json(line, str(path), number))


def read_columns(path: Path, columns: Sequence[str], separator: str | None = None) -> list[Row]:
    """Lines of columns without a header, as in TREC files; a `separator` of None means any run of blanks. Raises
    DataError: as `read_text`, or a line has more or fewer columns."""
    lines = enumerate(read_text(path).split("\n"), 1)
    return [column_row(path, line, number, columns, separator) for number, line in lines if line.strip()]


_BLANKS = re.compile(f"[{re.escape(string.whitespace)}]+")


def column_row(path: Path, line: str, number: int, columns: Sequence[str], separator: str | None = None) -> Row:
    """The line's cells, as many as there are columns, or else a DataError."""
    # not str.split(): to that, a no-break space would be a blank, and an id may hold one
    cells = line.split(separator) if separator else _BLANKS.split(line.strip(string.whitespace))
    row = Row(path, f"line {number}", dict(zip(columns, cells, strict=False)))
    if len(cells) != len(columns):
        raise row.error(f"{len(cells)} columns; write {len(columns)}: {' '.join(columns)}")
    return row
