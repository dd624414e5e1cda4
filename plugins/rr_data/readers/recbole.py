"""RecBole's atomic files, read as sequential recommendation: which item does a user take next?

`folder` holds NAME.inter, NAME.item and, where there is one, NAME.user: tables of tabs, whose header names each field
and its type (`user_id:token`, `rating:float`, `genre:token_seq`). .inter: user, item and time of each interaction;
without a time, the order of the file is that of each user. .item: what an item is shown by: `title` names the field,
or else the one whose name ends in `title` or `name`, or else the first text; the others of `text`, or all fields of
tokens, make its text. .user: fields of tokens may be what a table groups its queries by (`group_by`).

Of interactions that a user has had with an item before, the first counts. Sequences, filter and leave-one-out:
`rr_data.sequences`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import Field

from rr import DataError, Document, Settings
from rr.data import ById, Collection, Damage, DataPath, Row, lines, missing
from rr_data.facets import add_facets
from rr_data.found import bare_name, packed
from rr_data.sequences import MINIMUM, Interaction, leave_one_out

TYPES = ("token", "token_seq", "float", "float_seq")
USER, ITEM, TIME = ("user_id", "session_id", "user"), ("item_id", "item"), ("timestamp", "time")


class Options(Settings):
    folder: DataPath
    """Holds NAME.inter, NAME.item and maybe NAME.user."""
    dataset: str | None = None
    """NAME, where the folder holds several data sets."""
    title: str | None = None
    """Field that items are shown by in lists and histories."""
    text: tuple[str, ...] | None = None
    """Fields that make an item's text; None: all fields of tokens."""
    core: int = Field(5, ge=1)
    """Fewest interactions of a user and of an item; 1 keeps all."""
    text_history: int = Field(10, ge=1)
    """Newest titles in a query's text."""


class RecBole:
    Settings = Options

    def __init__(self, settings: Options) -> None:
        self._options = settings

    @classmethod
    def recognise(cls, paths: Sequence[Path]) -> dict[str, Any] | None:
        """Its options, if it is asked of one folder with one data set in this form."""
        if len(paths) != 1 or not paths[0].is_dir():
            return None
        names = _names(paths[0])
        both = len(names) == 1 and all(_file(paths[0], names[0], kind).is_file() for kind in ("inter", "item"))
        return {"folder": str(paths[0])} if both else None

    def files(self) -> list[Path]:
        """All that `read` reads."""
        folder, name = self._options.folder, self._name()
        user = _file(folder, name, "user")
        return [_file(folder, name, "item"), _file(folder, name, "inter"), *([user] if user.is_file() else [])]

    def read(self) -> Collection:
        """
        Raises:
            DataError: a file or a field is missing, a header names no types, a line has another number of cells, an
                item is listed twice, or the filter leaves nothing.
        """
        damage, options = Damage(), self._options
        items_file, inter_file, *user_files = self.files()
        items, without_title = self._items(items_file, damage)
        interactions: dict[tuple[str, str], Interaction] = {}
        again, unknown, timed = list[str](), list[str](), False
        for place, row in enumerate(_rows(inter_file, damage)):
            with damage.row():
                user, item = row.id(row.either(*USER)), row.id(row.either(*ITEM))
                time = next((key for key in TIME if key in row.fields), None)
                timed = time is not None
                one = Interaction(row.number(time) if time else float(place), item, user)
                if item not in items:
                    unknown.append(f"{row.at} (user {user!r}, item {item!r})")
                elif (user, item) in interactions:
                    again.append(row.at)
                    interactions[user, item] = min(one, interactions[user, item])
                else:
                    interactions[user, item] = one
        facets: dict[str, dict[str, str]] = {}
        for path in user_files:
            for row in _rows(path, damage):
                with damage.row():
                    add_facets(facets, row.id(row.either(*USER)), row.fields, USER)
        told = damage.told()

        found, short = leave_one_out(
            options.folder, items, list(interactions.values()), options.core, options.text_history, facets
        )
        counted = {
            "interactions with an item that .item lacks, left out": unknown,
            "interactions that a user has had before, of which the first counts": again,
            "items without a title, shown by their ids": [id_ for id_ in without_title if id_ in found.documents],
            f"users with fewer than {MINIMUM} items, left out": list(short),
        }
        notes = [f"{what}: {len(places)}, first {places[0]}" for what, places in counted.items() if places]
        if not timed:
            notes.append("the interactions have no time: the order of the file is taken for theirs")
        return replace(found, notes=(*told, *found.notes, *notes))

    def _name(self) -> str:
        folder, names = self._options.folder, _names(self._options.folder)
        if self._options.dataset is not None:
            return self._options.dataset
        if len(names) != 1:
            raise DataError(
                f"{folder}: holds {'several data sets, ' + ', '.join(names) if names else 'no .inter file'}; "
                f"{'set `dataset` to one of them' if names else 'check the path'}"
            )
        return names[0]

    def _items(self, path: Path, damage: Damage) -> tuple[ById[Document], list[str]]:
        items: ById[Document] = ById("item")
        without: list[str] = []
        types = _header(path)
        tokens = [name for name, kind in types.items() if kind.startswith("token") and name not in ITEM]
        for named in (*([self._options.title] if self._options.title else []), *(self._options.text or ())):
            if named not in types:
                raise DataError(f"{path}: {missing('field', [named], list(types))}")
        ends = [name for name in tokens if name.lower().endswith(("title", "name"))]
        title = self._options.title or next(iter(ends or tokens), "")
        texts = [name for name in self._options.text or tokens if name != title]
        for row in _rows(path, damage):
            with damage.row():
                id_ = row.id(row.either(*ITEM))
                shown = row.string(title) if title else ""
                if not shown:
                    without.append(id_)
                text = ", ".join(found for name in texts if (found := row.string(name)))
                items.add(id_, Document(id_, text, shown or id_), row)
        return items, without


def _names(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; check the path")
    names = {bare_name(path) for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")}
    return sorted({name.rpartition(".")[0] for name in names if name.endswith((".inter", ".item"))})


def _file(folder: Path, name: str, kind: str) -> Path:
    return packed(folder / f"{name}.{kind}")


def _header(path: Path) -> dict[str, str]:
    """Field → type.

    Raises:
        DataError: a name has no type, or comes twice.
    """
    _, first = next(iter(lines(path)))
    found: dict[str, str] = {}
    for cell in first.split("\t"):
        name, _, kind = cell.strip().rpartition(":")
        if not name or kind not in TYPES or name in found:
            problem = "comes twice" if name in found else "is no field with its type; write `user_id:token`"
            raise DataError(f"{path}, line 1: {cell.strip()!r} {problem}")
        found[name] = kind
    return found


def _rows(path: Path, damage: Damage) -> list[Row]:
    columns = list(_header(path))
    rows = []
    for number, line in lines(path):
        if number > 1 and line.strip():
            with damage.row():
                cells = line.split("\t")
                row = Row(path, f"line {number}", dict(zip(columns, cells, strict=False)))
                if len(cells) != len(columns):
                    raise row.error(f"{len(cells)} cells under {len(columns)} fields; check the tabs in it")
                rows.append(row)
    return rows
