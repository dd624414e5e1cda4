"""JSON in either of two forms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

from rr.data import Damage, Row, parse_json, read_text


def read_records(path: Path, damage: Damage | None = None) -> Iterator[Row]:
    """The objects of a JSON list, or of JSONL, whichever the file holds; what is no object is noted as `damage`, if
    that is given. NaN and infinity are let in, for `Row.number` to refuse by name.

    Raises:
        DataError: as `read_jsonl`.
    """
    text = read_text(path)
    if text.lstrip().startswith("["):
        items = parse_json(text, str(path), constants=True)
        for number, item in enumerate(items, 1):
            with damage.row() if damage else nullcontext():
                yield Row.of(path, f"item {number}", item)
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            with damage.row() if damage else nullcontext():
                yield Row.of(path, f"line {number}", parse_json(line, str(path), number, constants=True))
