"""Fingerprints of what is too large to be written as one text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

AT_ONCE = 1_000
"""Items that are written as one text."""


def streamed_fingerprint(parts: Mapping[str, object]) -> str:
    """`rr.files.fingerprint` of an object whose values may be mappings by text, and iterators in the place of lists, of
    any length."""
    found = hashlib.sha256()
    for text in _object((key, _value(part)) for key, part in sorted(parts.items())):
        found.update(text.encode())
    return found.hexdigest()


def _value(part: object) -> Iterator[str]:
    if isinstance(part, Mapping):
        return _object((key, iter([_json(one)])) for key, one in sorted(part.items()))
    if isinstance(part, Iterator):
        return _list(part)
    return iter([_json(part)])


def _object(pairs: Iterable[tuple[str, Iterator[str]]]) -> Iterator[str]:
    yield "{"
    for number, (key, value) in enumerate(pairs):
        yield f"{',' * (number > 0)}{_json(key)}:"
        yield from value
    yield "}"


def _list(items: Iterator[object]) -> Iterator[str]:
    yield "["
    comma = ""
    while some := list(islice(items, AT_ONCE)):
        yield comma + _json(some)[1:-1]
        comma = ","
    yield "]"


_json = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode
