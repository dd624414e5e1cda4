"""The lines of a file that need not fit into memory, and of a text that does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rr.data.files import EMPTY, decoded, json_row, opened
from rr.data.rows import Row
from rr.errors import DataError


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    number: int
    offset: int
    """Bytes before it in the file, as it is unpacked."""


def stream_lines(path: Path) -> Iterator[Line]:
    """The lines that are not blank, one at a time, of a file that need not fit into memory; unpacked, if it is packed.

    Raises:
        DataError: as `read_text`.
    """
    offset, blank = 0, True
    with opened(path) as file:
        for number, content in enumerate(file, 1):
            if content.strip():
                text = decoded(path, content, number).strip("\r\n")
                yield Line(text, number, offset)
                blank = False
            offset += len(content)
    if blank:
        raise DataError(f"{path}: {EMPTY}")


def parse_jsonl(path: Path, text: str) -> list[Row]:
    """The rows of JSONL text that is already at hand; `path` is what errors call it."""
    # Not str.splitlines: JSON may hold U+2028 and its kind inside a string.
    return [json_row(path, line, number) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
