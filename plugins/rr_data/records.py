"""JSON in either of two forms."""

from __future__ import annotations

from pathlib import Path

from rr.data import Row, parse_json, read_text


def read_records(path: Path) -> list[Row]:
    """The objects of a JSON list, or of JSONL, whichever the file holds. NaN and infinity are let in, for `Row.number`
    to refuse by name.

    Raises:
        DataError: as `read_jsonl`.
    """
    text = read_text(path)
    if text.lstrip().startswith("["):
        items = parse_json(text, str(path), constants=True)
        return [Row.of(path, f"item {number}", item) for number, item in enumerate(items, 1)]
    return [
        Row.of(path, f"line {number}", parse_json(line, str(path), number, constants=True))
        for number, line in enumerate(text.split("\n"), 1)
        if line.strip()
    ]
