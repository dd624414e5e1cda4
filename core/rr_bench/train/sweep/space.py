"""What a sweep tries: of each flag a list of values, or a range."""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass

from rr.errors import RerankError

OPEN, CLOSED, QUOTES = "[{(", "]})", "'\""
RANGE = re.compile(r"([^:\s]+):([^:\s]+?)(:log)?")
MOST = 10_000
"""Points that a grid may have."""


@dataclass(frozen=True)
class Choices:
    """The texts of the values, as the flag takes them."""

    values: tuple[str, ...]


@dataclass(frozen=True)
class Range:
    """From `low` to `high`, both included; `log`: each order of magnitude as often as the next."""

    low: float
    high: float
    log: bool
    whole: bool

    @property
    def values(self) -> tuple[str, ...]:
        """Its ends."""
        return self.text(self.low), self.text(self.high)

    def text(self, value: float) -> str:
        return str(int(value)) if self.whole else repr(float(value))


Space = Mapping[str, Choices | Range]
"""Flag → what is tried of it."""
Point = Mapping[str, str]
"""Flag → the text of its value."""


def dimension(flag: str, text: str) -> Choices | Range | None:
    """`1e-5,2e-5` is a list, `1e-5:1e-3:log` and `1:8` are ranges; None: one value. A comma within brackets or quotes
    belongs to a value.

    Raises:
        RerankError: the range is empty, or the list holds a value twice, or an empty one.
    """
    values = _split(text)
    if len(values) > 1:
        if "" in values:
            raise RerankError(f"{flag} {text}: a value is empty; write {flag} {','.join(filter(None, values))}")
        if len(set(values)) != len(values):
            raise RerankError(f"{flag} {text}: a value comes twice; keep one of them")
        return Choices(tuple(values))
    found = RANGE.fullmatch(text)
    if found is None or (low := _number(found[1])) is None or (high := _number(found[2])) is None:
        return None
    log = found[3] is not None
    if not low < high or (log and low <= 0):
        mend = "its beginning must be above 0" if log and low < high else "its end must be above its beginning"
        raise RerankError(f"{flag} {text}: {mend}, as in {flag} 1e-5:1e-3:log")
    return Range(low, high, log, all(re.fullmatch(r"[+-]?\d+", end) for end in found.group(1, 2)))


def grid(space: Space, count: int | None, seed: int) -> list[Point] | None:
    """All points, in order; `count` of them, drawn with the seed, where there are more. None: there is a range.

    Raises:
        RerankError: there are too many to be listed.
    """
    lists = {flag: one.values for flag, one in space.items() if isinstance(one, Choices)}
    if len(lists) != len(space):
        return None
    size = math.prod(map(len, lists.values()))
    if size > MOST:
        mend = "name fewer values, or ranges (1e-5:1e-3:log), of which --trials are drawn"
        raise RerankError(f"{size} combinations; {mend}")
    points: list[Point] = [dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values())]
    return points if count is None or count >= size else random.Random(seed).sample(points, count)


def one_by_one(space: Space) -> list[Point]:
    """A point for each value, the others' being their first: what shows whether a value is one."""
    first = {flag: one.values[0] for flag, one in space.items()}
    return [first, *({**first, flag: value} for flag, one in space.items() for value in one.values[1:])]


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _split(text: str) -> list[str]:
    parts, depth, quote = [""], 0, ""
    for character in text:
        if character == "," and not depth and not quote:
            parts.append("")
            continue
        if quote:
            quote = "" if character == quote else quote
        elif character in QUOTES:
            quote = character
        else:
            depth += (character in OPEN) - (character in CLOSED)
        parts[-1] += character
    return [part.strip() for part in parts]


def words(point: Point) -> list[str]:
    """The point as arguments of a command."""
    return [f"{flag}={value}" for flag, value in point.items()]
