"""Documents and queries that are known by their very texts."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from hashlib import blake2b

from rr.data import folded, nfc


class ByText:
    """Text → id; texts that are equal but for their blanks are one. The texts themselves are not held."""

    def __init__(self, known: Iterable[tuple[str, str]] = ()) -> None:
        """`known`: ids with their texts; of equal texts the first."""
        self._ids: dict[bytes, str] = {}
        for id_, text in known:
            self.add(id_, text)

    def add(self, id_: str, text: str) -> None:
        self._ids.setdefault(_digest(text), id_)

    def find(self, text: str) -> str | None:
        return self._ids.get(_digest(text))


def fresh(prefix: str, known: Collection[str]) -> str:
    """An id that nothing has yet: `d7`, where six are known."""
    number = len(known) + 1
    while f"{prefix}{number}" in known:  # the source's own id of another one
        number += 1
    return f"{prefix}{number}"


def _digest(text: str) -> bytes:
    return blake2b(folded(nfc(text)).encode(), digest_size=16).digest()
