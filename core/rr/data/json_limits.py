"""What JSON may hold that cannot be worked with: nesting without end, and text that no file can be written with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MAX_DEPTH = 100
"""How deep it may be nested: Python's own limit differs by version, and what is read is walked through again."""
TOO_DEEP = f"nested more than {MAX_DEPTH} deep; flatten it"


def json_problem(value: Any, text: str) -> str:
    """What is wrong with a value that was parsed from `text`; nothing for almost all, which cost two searches."""
    if text.count("[") + text.count("{") > MAX_DEPTH and _deeper(value, MAX_DEPTH):
        return TOO_DEEP
    if "\\ud" in text or "\\uD" in text:  # of valid UTF-8, only an escape can make half a pair
        for key, one in _strings(value):
            if any("\ud800" <= character <= "\udfff" for character in one):
                return f"{key!a}: the text {one[:40]!a} holds half of a surrogate pair; repair its encoding"
    return ""


def _deeper(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit + 1):
        level = [inner for outer in level for inner in _inside(outer)]
    return bool(level)


def _strings(value: Any) -> Iterator[tuple[str, str]]:
    """All texts in it with the key that they stand under, and the keys themselves."""
    left = [("", value)]
    while left:
        key, one = left.pop()
        if isinstance(one, str):
            yield key, one
        elif isinstance(one, dict):
            left += [(name, part) for name, inner in one.items() for part in (name, inner)]
        elif isinstance(one, list):
            left += [(key, inner) for inner in one]


def _inside(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
