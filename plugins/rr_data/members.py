"""Texts that stand in a cell of a row: one, or a list of them, each a text or an object that holds one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rr import DataError, nearest
from rr.data import Row, parse_json
from rr_data.named import id_in, text_in

TEXT_KEYS = ("text", "contents", "content", "passage", "body")
ID_KEYS = ("docid", "id", "_id", "passage_id", "doc_id", "document_id", "pid")


@dataclass(frozen=True, slots=True)
class Member:
    """`id`: the source's own, or "" where it gives none."""

    text: str
    title: str = ""
    id: str = ""


def members_in(row: Row, column: str) -> list[Member]:
    """All of a cell; none where it is empty or absent.

    Raises:
        DataError: one of them is blank, or no text.
    """
    cell = row.fields.get(column)
    if cell is None or cell == "":
        return []
    items = _listed(cell)
    if items is None:
        return [_member(row, column, cell)]
    return [_member(Row(row.file, f"{row.at}, {column} {n}", {}), "text", item) for n, item in enumerate(items, 1)]


def _listed(cell: Any) -> Sequence[Any] | None:
    """The items of a list, which a CSV file spells as JSON."""
    if isinstance(cell, str) and cell.lstrip().startswith("[") and cell.rstrip().endswith("]"):
        try:
            spelled = parse_json(cell, "cell")
        except DataError:  # a text in brackets
            return None
        return spelled if isinstance(spelled, list) else None
    return cell if isinstance(cell, list) else None


def _member(row: Row, column: str, value: Any) -> Member:
    if not isinstance(value, dict):
        if not isinstance(value, str):
            raise row.error(f"{column!r} must be text, not {json.dumps(value, default=str)[:40]}")
        return Member(text_in(Row(row.file, row.at, {column: value}), column))
    item = Row.of(row.file, row.at, value)
    text = next((key for key in TEXT_KEYS if key in item.fields), None)
    if text is None:
        raise row.error(f"no text in {sorted(item.fields)}{nearest('text', list(item.fields))}")
    id_ = next((key for key in ID_KEYS if item.fields.get(key) is not None), None)
    return Member(
        item.text(text), item.string("title", ""), "" if id_ is None else id_in(item, id_, item.fields.get(id_))
    )


def numbers_in(row: Row, column: str | None, count: int, what: str) -> list[float] | None:
    """The scores of `count` members; None where there are none.

    Raises:
        DataError: there are more or fewer, or one is no finite number.
    """
    cell = None if column is None else row.fields.get(column)
    if cell is None or cell == "" or cell == []:
        return None
    listed = _listed(cell)
    items = [cell] if listed is None else listed
    if len(items) != count:
        raise row.error(f"{column!r} holds {len(items)} scores for {count} {what}; give one each, or none")
    return [Row(row.file, row.at, {str(column): item}).number(str(column)) for item in items]
