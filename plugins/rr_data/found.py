"""Files as people have them: packed, a folder of them, in an older encoding."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from rr import DataError
from rr.data import lines, opened

PACKED = ("", ".gz", ".zst", ".xz", ".bz2")
"""What a packed file's name ends in; which packing it is its first bytes say."""
Encoding = Literal["utf-8", "latin-1", "cp1252"]
NO_LATIN = re.compile(rb"[\x00\x7f-\x9f\xff]")
"""Control characters, and what no title holds, but files of other encodings begin with."""
ID_NAMES = (
    "id",
    "_id",
    "pid",
    "qid",
    "docid",
    "doc_id",
    "query_id",
    "query-id",
    "passage_id",
    "topic",
    "topic_id",
    "num",
)
"""What a header calls a column of ids."""
STARTS = 20
"""Lines that `first_lines` looks at."""


def packed(path: Path) -> Path:
    """The path, or else that of the packed file beside it: `corpus.jsonl.gz` for `corpus.jsonl`."""
    there = (path.with_name(path.name + ending) for ending in PACKED)
    return next((found for found in there if found.exists()), path)


def bare_name(path: Path) -> str:
    """The file's name without what a packer has appended to it."""
    return path.stem if path.suffix in PACKED[1:] else path.name


def files_in(path: Path) -> list[Path]:
    """The path itself, or all files of a folder and its folders but hidden ones (`.DS_Store`), in the order of their
    names.

    Raises:
        DataError: the folder holds none.
    """
    if not path.is_dir():
        return [packed(path)]
    inside = sorted(path.rglob("*"))
    found = [one for one in inside if one.is_file() and not any(p.startswith(".") for p in one.relative_to(path).parts)]
    if not found:
        raise DataError(f"{path}: the folder holds no files; check the path")
    return found


def files_given(paths: Sequence[Path]) -> Sequence[Path]:
    """The files, or those in the one folder that is given but hidden ones."""
    if len(paths) != 1 or not paths[0].is_dir():
        return paths
    return [path for path in sorted(paths[0].iterdir()) if path.is_file() and not path.name.startswith(".")]


def text_lines(path: Path, encoding: Encoding = "utf-8") -> Iterator[tuple[int, str]]:
    """As `rr.data.lines`, of a file in this encoding.

    Raises:
        DataError: as `rr.data.lines`; what is no UTF-8 may be told by the option `encoding`.
    """
    if encoding == "utf-8":
        yield from lines(path)
        return
    with opened(path) as file:
        for number, content in enumerate(file, 1):
            if content.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and number == 1:
                raise DataError(f"{path}: starts with a mark of Unicode, so it is not {encoding}; drop `encoding`")
            yield number, content.decode(encoding, errors="replace").rstrip("\r\n")


def either_encoding(path: Path) -> list[tuple[int, str]]:
    """The lines of a small file that is UTF-8, or else Latin-1, as old collections are: one or the other as a whole.

    Raises:
        DataError: as `rr.data.opened`; or there are bytes that text of neither holds.
    """
    with opened(path) as file:
        content = file.read()
    if not content.strip():
        raise DataError(f"{path}: the file is empty; fetch it again")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        if wrong := NO_LATIN.search(content):
            at = f"{path}, line {content[: wrong.start()].count(10) + 1}"
            problem = f"byte 0x{wrong[0][0]:02x} is neither UTF-8 nor Latin-1"
            raise DataError(f"{at}: {problem}; save it as UTF-8") from None
        text = content.decode("latin-1")
    return [(number, line.removesuffix("\r")) for number, line in enumerate(text.split("\n"), 1)]


def is_header(cells: Sequence[str]) -> bool:
    """Whether the first row of a file that should have none names its columns: `pid`, `text`."""
    return len(cells) > 1 and cells[0].strip().lower() in ID_NAMES and not any(cell.strip().isdigit() for cell in cells)


def first_lines(path: Path) -> list[str]:
    """The first lines that are not blank, to tell a form by; none where the file cannot be read."""
    found: list[str] = []
    try:
        with opened(path) as file:
            for number, content in enumerate(file):
                if number >= STARTS * 10 or len(found) >= STARTS:
                    break
                if content.strip():
                    found.append(content.decode("utf-8-sig", errors="replace").rstrip("\r\n"))
    except DataError:
        return []  # a reader says what is wrong with it, in whose form it is
    return found


def starts_with(path: Path, *starts: str) -> bool:
    """Whether the file's first characters that are no blanks are among these, whatever their case."""
    return any(line.lstrip().lower().startswith(starts) for line in first_lines(path)[:1])
