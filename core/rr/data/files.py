"""What all readers share: files into text, JSON and plain columns, with errors that name the file and the line."""

import gzip
import lzma
import re
import string
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import IO, Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from rr.data.damage import Damage
from rr.data.rows import Row
from rr.data.strict_json import parse_json
from rr.errors import DataError
from rr.registry.expansion import expanded, path_as_written

EMPTY = "the file is empty; fetch or write it again"
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ": "lzma", b"\x28\xb5\x2f\xfd": "backports.zstd"}
DataPath = Annotated[
    Path,
    BeforeValidator(lambda path: expanded(path) if isinstance(path, str | Path) else path),
    PlainSerializer(path_as_written, return_type=str, when_used="json"),
]
"""A path in a registry.yaml, from its folder on; `${VAR}` and `~` are filled in when the settings are checked, and JSON
(`rr info`, the record of a checkpoint) has the path as it is written."""


def checked_file(path: Path) -> Path:
    """The path, if it is that of a file."""
    if not path.is_file():
        problem = "not a file; give the path of the file itself" if path.exists() else "no such file; check the path"
        raise DataError(f"{path}: {problem}")
    return path


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The file, to be read; unpacked where its first bytes are those of gzip, bzip2, xz or zstd, whatever it is called.
    Raises DataError: it is missing, is a folder, cannot be read, or is damaged."""
    try:
        with checked_file(path).open("rb") as file:
            start = file.read(6)
            file.seek(0)
            packer = next((name for magic, name in _PACKED.items() if start.startswith(magic)), None)
            with import_module(packer).open(file, "rb") if packer else nullcontext(file) as content:
                yield content
    except ImportError as error:
        raise DataError(f"{path}: packed by zstd; pip install backports.zstd, or unpack it") from error
    except (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile, _zstd_error()) as error:
        raise DataError(f"{path}: cannot be unpacked ({error}); fetch it again") from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}; check its permissions") from error


def _zstd_error() -> type[Exception]:
    return getattr(sys.modules.get("backports.zstd"), "ZstdError", EOFError)


def read_bytes(path: Path) -> bytes:
    """Raises DataError: as `opened`, or the file is empty."""
    with opened(path) as file:
        content = file.read()
    if not content.strip():
        raise DataError(f"{path}: {EMPTY}")
    return content


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines without their ends, counted from 1, one at a time. Raises DataError: as `read_text`."""
    number, blank = 1, True
    with opened(path) as file:
        for content in file:
            text = decoded(path, content, number)
            # not str.splitlines: JSON may hold U+2028 and its kind inside a string
            for line in (text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text).split("\r"):
                blank = blank and not line.strip()
                yield number, line
                number += 1
    if blank:
        raise DataError(f"{path}: {EMPTY}")


def read_text(path: Path) -> str:
    """The file's text without a byte-order mark, of plain newlines. Raises DataError: as `read_bytes`, or no UTF-8."""
    text = decoded(path, read_bytes(path))
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


class Rows(Iterable[Row]):
    """The lines of a file as rows, read anew whenever they are gone through; blank lines are passed over. Raises
    DataError: as `read_text`, or a line is no row and there is no `damage` to note it in."""

    def __init__(self, path: Path, row: Callable[[str, int], Row], damage: Damage | None) -> None:
        self._path, self._row, self._damage = path, row, damage

    def __iter__(self) -> Iterator[Row]:
        for number, line in lines(self._path):
            if line.strip():
                with self._damage.row() if self._damage else nullcontext():
                    yield self._row(line, number)


def read_jsonl(path: Path, damage: Damage | None = None) -> Rows:
    """One JSON object a line."""
    return Rows(path, partial(json_row, path), damage)


def json_row(path: Path, line: str, number: int) -> Row:
    """The line's JSON object, or else a DataError."""
    return Row.of(path, f"line {number}", parse_json(line, str(path), number))


def read_columns(
    path: Path, columns: Sequence[str], separator: str | None = None, damage: Damage | None = None
) -> Rows:
    """Lines of columns without a header; a `separator` of None means any run of blanks."""
    return Rows(path, lambda line, number: column_row(path, line, number, columns, separator), damage)


_BLANKS = re.compile(f"[{re.escape(string.whitespace)}]+")


def column_row(path: Path, line: str, number: int, columns: Sequence[str], separator: str | None = None) -> Row:
    """The line's cells, as many as there are columns, or else a DataError."""
    # not str.split(): to that, a no-break space would be a blank, and an id may hold one
    cells = line.split(separator) if separator else _BLANKS.split(line.strip(string.whitespace))
    row = Row(path, f"line {number}", dict(zip(columns, cells, strict=False)))
    if len(cells) != len(columns):
        raise row.error(f"{len(cells)} columns; write {len(columns)}: {' '.join(columns)}")
    return row
