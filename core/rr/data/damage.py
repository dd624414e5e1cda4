"""Rows that cannot be used, told together: a file with a thousand mistakes is mended once, not a thousand times."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

from rr.errors import DataError

Missing = Literal["fail", "skip"]
MISSING: ContextVar[Missing] = ContextVar("missing", default="fail")
"""What becomes of rows that cannot be used (`missing:` of the data set's entry): none is let pass, or they are left out
and counted. The evaluator sets it around `Reader.read`."""
_PARTICULAR = re.compile(r"'[^']*'|\"[^\"]*\"|\d+(?:\.\d+)?")


class Damage:
    """The rows of a source that cannot be used. A reader makes one, has each row in a block of `row()`, and gives
    `told()` to its collection as notes."""

    def __init__(self) -> None:
        self._kinds: dict[str, list[DataError]] = {}

    @contextmanager
    def row(self) -> Iterator[None]:
        """What makes use of one row: where that raises a DataError, it is noted, and the row is left out."""
        try:
            yield
        except DataError as error:
            self._kinds.setdefault(_PARTICULAR.sub("…", getattr(error, "problem", str(error))), []).append(error)

    def told(self) -> tuple[str, ...]:
        """Notes on the rows that were left out. Raises DataError: there are such rows, and none may be left out."""
        found = sorted(self._kinds.values(), key=len, reverse=True)
        if sum(map(len, found)) == 1 and MISSING.get() == "fail":
            raise found[0][0]
        kinds = list(map(_told, found))
        if MISSING.get() == "skip" or not found:
            return tuple(f"left out, as the entry's `missing: skip` says: {kind}" for kind in kinds)
        total = f"{sum(map(len, found))} rows cannot be used; mend them, or leave them out by `missing: skip`"
        raise DataError(f"{total}: {' | '.join(kinds)}")


def _told(errors: list[DataError]) -> str:
    """Of one kind: the first in whole, and where the next ones stand."""
    first, *others = errors
    places = [str(other.at) for other in others if hasattr(other, "at")]
    told = f": {', '.join(places[:3])}{', …' * (len(places) > 3)}" if places else ""
    return f"{first} (and {len(others)} more of this kind{told})" if others else str(first)
