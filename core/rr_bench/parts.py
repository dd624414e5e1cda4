"""Requests cut into parts that are computed, and kept, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from rr.types import Request

T = TypeVar("T")
PART_PAIRS = 2_000
"""How many (query, document) pairs a part holds, more only where one query alone has more."""


def parts(requests: Iterable[Request]) -> Iterator[list[Request]]:
    """The requests in order, cut wherever a part would exceed `PART_PAIRS` pairs; one part at a time is in memory."""
    return cut(requests, lambda request: len(request.candidates))


def cut(items: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """As `parts`, of whatever has so many pairs each."""
    part: list[T] = []
    pairs = 0
    for item in items:
        if part and pairs + size(item) > PART_PAIRS:
            yield part
            part, pairs = [], 0
        part.append(item)
        pairs += size(item)
    if part:
        yield part
