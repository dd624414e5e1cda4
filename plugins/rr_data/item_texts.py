"""Which of its texts an item is shown by in lists of candidates and in histories: its title, or another column of its
file, such as a caption or a semantic summary."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from rr import DataError
from rr.data import Row, missing, nfc

TITLE = "title"


class ItemTexts:
    """The texts of one column, with the items' titles where it is empty."""

    def __init__(self, column: str) -> None:
        self.column = nfc(column)
        self._without: list[str] = []

    def must_be_in(self, rows: Iterable[Row], path: Path) -> Iterator[Row]:
        """The rows as they come, of which some may lack the column.

        Raises:
            DataError: all have done.
        """
        keys: set[str] = set()
        for row in rows:
            keys |= row.fields.keys()
            yield row
        if self.column not in {*keys, TITLE}:
            raise DataError(f"{path}: {missing('key', [self.column], sorted(keys))}")

    def title(self, id_: str, row: Row, title: str, text: str) -> str:
        """What becomes the title of the document, whose own is `title`; nothing where its `text` says the same."""
        if self.column == TITLE:
            return title
        found = row.string(self.column, "")
        if not found:
            self._without.append(id_)
        return "" if found and found == text else found or title

    def notes(self, kept: Collection[str]) -> tuple[str, ...]:
        """How many of the documents that were kept are shown by their titles instead."""
        without = [id_ for id_ in self._without if id_ in kept]
        if not without:
            return ()
        count = f"{len(without):,} of {len(kept):,}"
        return (f"documents without {self.column!r}, shown by their titles: {count}, first {without[0]!r}",)
