"""The compact letter display: rows that share a letter do not differ.

Source: Piepho 2004, "An algorithm for a letter-based representation of all-pairwise comparisons" (insert and absorb).
"""

from __future__ import annotations

import string
from collections.abc import Iterable


def compact_letters(count: int, differing: Iterable[tuple[int, int]]) -> list[str]:
    """The letters of each of `count` rows, best first, so that two rows share one if, and only if, they are no pair of
    `differing`; `a` is the best row's.
    """
    columns = [frozenset(range(count))] if count else []
    for pair in differing:
        inserted = {column - {one} for column in columns if column.issuperset(pair) for one in pair}
        columns = [column for column in columns if not column.issuperset(pair)]
        inserted = {one for one in inserted if not any(one <= other for other in columns)}
        columns += [one for one in inserted if not any(one < other for other in inserted)]
    columns.sort(key=sorted)
    names = [_name(place) for place in range(len(columns))]
    return ["".join(name for name, column in zip(names, columns, strict=True) if row in column) for row in range(count)]


def _name(place: int) -> str:
    """a … z, A … Z, and behind the 52nd with a dot for every round: .a"""
    rounds, letter = divmod(place, len(string.ascii_letters))
    return "." * rounds + string.ascii_letters[letter]
