"""What the rows of a table refer to: documents and queries, by their ids or by their very texts."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence
from typing import Any

from rr import Document, Query
from rr.data import ById, Documents, Row, as_id, folded, nfc
from rr_data.texts import ByText

SEPARATORS = (",", ";", "|", "\n", " ")
"""That may stand between several ids in a cell."""
PADDED = 16
"""Digits of an id at the most, of which a spreadsheet may have dropped leading zeros."""
_DATE = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T]\d{1,2}:\d\d(:\d\d)?.*)?"
    r"|\d{1,2}[-/. ][A-Za-z]{3,9}([-/. ]\d{2,4})?|[A-Za-z]{3}-\d{1,4}"
)
_ROUNDED = re.compile(r"\d([.,]\d+)?[eE]\+?\d+")


class References:
    """The documents, or queries, that have been read (`known`); `kind`: what errors call one."""

    def __init__(self, known: ById[Query] | Documents, kind: str) -> None:
        self._known, self._kind = known, kind
        self._texts: ByText | None = None
        self.respelled: list[str] = []
        """Where an id was found in another spelling (`1.0` for 1), and which."""

    def find(self, value: object) -> str | None:
        """The id of what has this id, or else this text; None where nothing does."""
        if (found := self._known.find(as_id(value))) is not None or not isinstance(value, str):
            return found
        if self._texts is None:  # it is gone through once, and only where a text names something
            self._texts = ByText(_texts(self._known.values()))
        return self._texts.find(value)

    def known_as(self, row: Row, value: object) -> str | None:
        """As `find`; another spelling is noted."""
        found = self.find(value)
        if found is not None and self._known.find(given := as_id(value)) is not None and found != given:
            self.respelled.append(f"{row.at}, {given!a} for {found!a}")
        return found

    def named(self, row: Row, column: str, separator: str | None) -> list[str]:
        """The ids that a cell names: a value, several with `separator` between them, or a list of values. An id that
        nothing has is given as it is: it may be that of a document which is missing.

        Raises:
            DataError: there is none, or what stands there can be no id: a date, a sum, a text that nothing has.
        """
        cell = row.fields.get(column)
        values = cell if isinstance(cell, list) else self._parts(row, column, cell, separator)
        return [self._one(row, column, value) for value in values]

    def _parts(self, row: Row, column: str, cell: Any, separator: str | None) -> Sequence[Any]:
        if cell is None or (isinstance(cell, str) and not cell.strip()):
            raise row.error(f"{column!r} is blank; name what is meant, or remove this row")
        if not isinstance(cell, str) or separator is None or self.find(cell) is not None:
            return [cell]
        return [part for part in cell.split(separator) if part.strip()]

    def _one(self, row: Row, column: str, value: Any) -> str:
        id_ = id_in(row, column, value)
        if (found := self.known_as(row, value)) is not None:
            return found
        if _DATE.fullmatch(id_):
            raise row.error(f"{column!r} holds a date ({id_!r}) where ids were; type them again as text")
        if _ROUNDED.fullmatch(id_):
            raise row.error(f"{column!r} holds a number that was rounded ({id_!r}); type the id again as text")
        padded = (id_.zfill(width) for width in range(len(id_) + 1, PADDED))
        if id_.isdecimal() and (meant := next(filter(self._known.find, padded), None)) is not None:
            raise row.error(f"{column!r}: {id_!r} does not exist, and {meant!r} does; type its zeros, as text")
        for separator in SEPARATORS:
            parts = [part.strip() for part in id_.split(separator) if part.strip()]
            if len(parts) > 1 and all(self._known.find(part) is not None for part in parts):
                raise row.error(
                    f"{column!r} names {len(parts)} {self._kind}s ({id_[:40]!r}); set separator: {separator!r}"
                )
        if any(blank in id_ for blank in " \t\n"):
            raise row.error(f"{column!r}: {id_[:40]!r} is neither the id nor the text of a {self._kind}; correct it")
        return id_


def id_in(row: Row, column: str, value: Any) -> str:
    """The id in a cell.

    Raises:
        DataError: it is none, or a spreadsheet has made a date of it.
    """
    if isinstance(value, datetime.date | datetime.time):  # a datetime is a date too
        raise row.error(f"{column!r} holds a date ({str(value)!r}) where ids were; type them again as text")
    return Row(row.file, row.at, {column: value}).id(column)


def text_in(row: Row, column: str) -> str:
    """The text in a cell, which may be a number to a spreadsheet.

    Raises:
        DataError: it is blank, or no text.
    """
    value = row.fields.get(column)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if value is None:
        value = ""
    return Row(row.file, row.at, {column: value}).text(column)


def same_text(one: str, other: str) -> bool:
    return folded(nfc(one)) == folded(nfc(other))


def _texts(known: Iterable[Document | Query]) -> Iterable[tuple[str, str]]:
    for one in known:
        yield one.id, one.text
        if isinstance(one, Document) and one.title:
            yield one.id, one.content
