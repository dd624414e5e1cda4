"""SMART's form: records that begin with `.I`, fields that begin with a dot and a letter on a line of their own."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from rr import DataError
from rr.data import Row
from rr_data.found import Encoding, text_lines

LETTERS = "TABWXNKC"
_NUMBER = re.compile(r"\.I\s*(\S.*)?$")


def records(
    path: Path, letters: Collection[str] = LETTERS, encoding: Encoding = "utf-8", stray: list[str] | None = None
) -> Iterator[Row]:
    """One row a record, its fields by their letters (`I` is its number), their lines joined by blanks. `letters`: those
    that begin a field. Fields strewn into the text of others, because they came before in their record, mean nothing;
    their places are added to `stray`.

    Raises:
        DataError: as `rr.data.lines`, or there is text before the first `.I`.
    """
    at, fields, lines = "", dict[str, list[str]](), list[str]()
    for number, line in text_lines(path, encoding):
        bare = line.rstrip()
        if found := _NUMBER.match(bare):
            if fields:
                yield _row(path, at, fields)
            at, lines = f"line {number}", [(found[1] or "").strip()]
            fields = {"I": lines}
        elif not fields and bare.strip():
            raise DataError(f"{path}, line {number}: text before the first `.I`; this is not a SMART file")
        elif len(bare) == 2 and bare[0] == "." and bare[1] in letters:
            if bare[1] not in fields:
                lines = fields[bare[1]] = []
            elif stray is not None:
                stray.append(f"line {number}, `{bare}`")
        elif bare.strip():
            lines.append(bare.strip())
    if fields:
        yield _row(path, at, fields)


def _row(path: Path, at: str, fields: dict[str, list[str]]) -> Row:
    return Row(path, at, {key: " ".join(value) for key, value in fields.items()})
