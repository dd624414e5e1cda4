"""Requests cut into parts that are computed, and kept, one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rr.types import Request

PART_PAIRS = 2_000
"""How many (query, document) pairs a part holds, more only where one query alone has more."""


def parts(requests: Iterable[Request]) -> Iterator[list[Request]]:
    """The requests in order, cut wherever a part would exceed `PART_PAIRS` pairs; one part at a time is in memory."""
    part: list[Request] = []
    pairs = 0
    for request in requests:
        if part and pairs + len(request.candidates) > PART_PAIRS:
            yield part
            part, pairs = [], 0
        part.append(request)
        pairs += len(request.candidates)
    if part:
        yield part
