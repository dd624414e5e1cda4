"""Records that have been read and not yet been understood: typed access. Every error is a DataError of one line: where,
what is wrong, how to mend it. Text is NFC-normalised and stripped of the blanks around it. Ids stay as they came, but
for ASCII blanks around them: what is written names them as the source did."""

import math
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from rr.errors import DataError, nearest
from rr.types import nfc

T = TypeVar("T")


class Known(Protocol):
    """Ids that have been read."""

    def find(self, id_: str) -> str | None:
        """The known id that is meant: this very one, or else the only one of the same `id_form`; None if neither is."""


class RowError(DataError):
    """What is wrong with a row, and where that stands."""

    def __init__(self, file: Path, at: str, problem: str) -> None:
        super().__init__(f"{file}, {at}: {problem}")
        self.at, self.problem = at, problem


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a file, and where in it it stands (`at`: `line 3`), for the errors about it."""

    file: Path
    at: str
    fields: dict[str, Any]

    @classmethod
    def of(cls, file: Path, at: str, value: object) -> "Row":
        """A row from parsed JSON, which must be an object, or else it is a DataError."""
        if not isinstance(value, dict):
            raise DataError(f"{file}, {at}: expected a JSON object {{…}}, found {type(value).__name__}")
        try:
            fields = {nfc(key): item for key, item in value.items()}
        except DataError as error:
            raise DataError(f"{file}, {at}: a key: {error}") from error
        if len(fields) != len(value):
            raise DataError(f"{file}, {at}: a key comes twice, in two Unicode forms; keep one of them")
        return cls(file, at, fields)

    def error(self, problem: str) -> DataError:
        return RowError(self.file, self.at, problem)

    def either(self, *keys: str) -> str:
        """The one of several spellings of a key that this row uses."""
        if used := [key for key in keys if key in self.fields]:
            return used[0]
        raise self.error(missing("key", keys, list(self.fields)))

    def value(self, key: str) -> Any:
        return self.fields[self.either(key)]

    def id(self, key: str) -> str:
        try:
            return as_id(self.value(key))
        except (ValueError, DataError) as error:
            raise self.error(f"{key!r} {error}") from error

    def reference(self, key: str, known: Known, kind: str) -> str:
        """The id of something that has been read before."""
        if (found := known.find(self.id(key))) is None:
            raise self.error(f"{kind} {self.id(key)!r} does not exist; correct the id")
        return found

    def string(self, key: str, default: str | None = None) -> str:
        """Text that may be blank. With a `default` it may also be absent or null."""
        if default is not None and self.fields.get(key) is None:
            return default
        value = self.value(key)
        if not isinstance(value, str):
            raise self.error(f"{key!r} must be text, not {type(value).__name__}")
        try:
            return nfc(value).strip()
        except DataError as error:
            raise self.error(f"{key!r}: {error}") from error

    def text(self, key: str) -> str:
        """Text that must not be blank."""
        if text := self.string(key):
            return text
        raise self.error(f"{key!r} is blank; fill it in or remove this row")

    def number(self, key: str) -> float:
        """A finite number, or its decimal spelling."""
        value = self.value(key)
        try:
            no_number = isinstance(value, bool) or (isinstance(value, str) and "_" in value)  # 1_0 is 10 to Python
            number = math.nan if no_number else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan  # falls into the one error below
        if not math.isfinite(number):
            raise self.error(f"{key!r} must be a finite number, not {_shown(value)}")
        return number

    def integer(self, key: str) -> int:
        number, value = self.number(key), self.value(key)
        if not number.is_integer():
            raise self.error(f"{key!r} must be a whole number, not {number}")
        try:
            return int(value)  # to the last digit, which a float of 17 or more has lost
        except ValueError:
            return int(number)  # 5.0, 1e3

    def children(self, key: str) -> list["Row"]:
        """The objects of a nested list."""
        items = self.value(key)
        if not isinstance(items, list):
            raise self.error(f"{key!r} must be a list, not {type(items).__name__}")
        return [Row.of(self.file, f"{self.at}, {key} {number}", item) for number, item in enumerate(items, 1)]


class ById(dict[str, T]):
    """Values by id; an id may come only once. `kind` names in the error what has the id."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._kind = kind
        self._places: dict[str, str] = {}
        self._spelled: dict[str, list[str]] = {}  # id_form → the ids that are not spelled so

    def add(self, id_: str, value: T, row: Row) -> None:
        """Raises DataError where the id was added before; both places are named."""
        if id_ in self:
            raise row.error(f"{self._kind} {id_!r} came already in {self._places[id_]}; keep one of them")
        self[id_] = value
        self._places[id_] = row.at
        if (form := id_form(id_)) != id_:
            self._spelled.setdefault(form, []).append(id_)

    def find(self, id_: str) -> str | None:
        if id_ in self:
            return id_
        same = self._alike(id_form(id_))
        return same[0] if len(same) == 1 else None

    def _alike(self, form: str) -> list[str]:
        """The ids of that `id_form`."""
        return [*(id_ for id_ in [form] if id_ in self), *self._spelled.get(form, ())]


def as_id(value: object) -> str:
    """An id as a string, spelled as it came. Spreadsheets and JSON turn ids into numbers: 5 and 5.0 are both "5".
    Raises ValueError where it is blank, or neither text nor a whole number, DataError where it holds half of a
    surrogate pair."""
    if isinstance(value, str) and value.strip():
        nfc(value)  # only for what it refuses
        return value.strip(string.whitespace)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if value is None or isinstance(value, str):
        raise ValueError("is blank; an id is needed")
    raise ValueError(f"must be text or a whole number, not {_shown(value)}")


def id_form(id_: str) -> str:
    """What spellings of one id have in common: Unicode's composed form, and whole numbers without the `.0` that
    spreadsheets append. Ids that differ are different ids; it is only looked at where an id itself does not exist."""
    form = nfc(id_)
    return form.partition(".")[0] if re.fullmatch(r"[0-9]+\.0+", form) else form


def _shown(value: object) -> str:
    if isinstance(value, int) and value.bit_length() >= 200:
        return f"a number of {value.bit_length()} bits"
    return text if len(text := repr(value)) <= 80 else text[:80] + "…"


def missing(kind: str, spellings: Sequence[str], present: list[str]) -> str:
    """The words of an error about a column or key that is not there, in any of its spellings."""
    there = ", ".join(sorted(present)) or "none"
    near = nearest(spellings[0], present).removeprefix(f"; known: {there}")  # which has just been said
    return f"{kind} {' or '.join(map(repr, spellings))} is missing; there are: {there}{near}"
