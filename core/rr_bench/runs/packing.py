"""A record as JSON, its long lists apart: each is kept once, under its checksum, for all runs that hold the same."""

from __future__ import annotations

import json
import zlib
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from hashlib import sha256
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
LONG = 16
"""Items of a list from which on it is kept apart."""
NUMBERS, TEXTS = "$numbers", "$texts"
"""The one key of the object that stands in the place of such a list; its value is the checksum."""

Blobs = dict[str, bytes]
"""SHA-256 → content, compressed."""


def kept(content: bytes, blobs: Blobs) -> str:
    """The checksum under which the content is put among the blobs."""
    packed_ = zlib.compress(content, 1)
    name = sha256(packed_).hexdigest()
    blobs[name] = packed_
    return name


def kept_numbers(values: Sequence[float], blobs: Blobs) -> str:
    return kept(array("d", values).tobytes(), blobs)


def numbers(content: bytes) -> list[float]:
    return array("d", zlib.decompress(content)).tolist()


def kept_json(value: object, blobs: Blobs) -> str:
    return kept(json.dumps(value, ensure_ascii=False).encode(), blobs)


def from_json(content: bytes) -> Any:
    return json.loads(zlib.decompress(content))


def packed(value: Any, blobs: Blobs) -> Any:
    """The JSON-able value with the checksum in the place of each long list of numbers or texts."""
    if isinstance(value, Mapping):
        return {key: packed(item, blobs) for key, item in value.items()}
    if not isinstance(value, list | tuple):
        return value
    if len(value) >= LONG and all(type(item) is float for item in value):
        return {NUMBERS: kept_numbers(value, blobs)}
    if len(value) >= LONG and all(type(item) is str for item in value):
        return {TEXTS: kept_json(value, blobs)}
    return [packed(item, blobs) for item in value]


def unpacked(value: Any, blob: Callable[[str], bytes]) -> Any:
    """What `packed` was given; `blob` gives the content of a checksum."""
    if isinstance(value, list):
        return [unpacked(item, blob) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, item),) = value.items()
        if key in (NUMBERS, TEXTS) and isinstance(item, str):
            return numbers(blob(item)) if key == NUMBERS else from_json(blob(item))
    return {key: unpacked(item, blob) for key, item in value.items()}


def rebuilt(kind: type[T], value: Mapping[str, Any]) -> T:
    """A dataclass from what `asdict` and JSON made of it. A field that it has no more is passed over, and one that it
    did not have yet has its default."""
    hints = get_type_hints(kind)
    known = [one.name for one in fields(kind) if one.name in value]  # type: ignore[arg-type]
    return kind(**{name: _as(hints[name], value[name]) for name in known})


def _as(hint: Any, value: Any) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return None if value is None else _as(next(one for one in inner if one is not type(None)), value)
    if is_dataclass(hint) and isinstance(value, Mapping):
        return rebuilt(hint, value)  # type: ignore[arg-type]
    if origin is tuple:
        return tuple(_as(inner[0], item) for item in value)
    if inner and isinstance(value, Mapping):
        return {key: _as(inner[1], item) for key, item in value.items()}
    return value
