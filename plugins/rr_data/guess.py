"""What files of one's own are, by a look at their first rows: which of them hold documents, queries, judgements, or all
of that joined; in which columns; and what stands between several ids in a cell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from rr import DataError
from rr.data import Damage, Row
from rr_data.columns import COLUMNS, IDS, SPLIT_NAMES, TEXTS, Role, guessed, may_hold, simple
from rr_data.formats import Head, head_of, rows_of
from rr_data.saved import DICT, is_saved, split_names
from rr_data.sources import Split, with_a_test

DOCUMENTS = ("corpus", "document", "documents", "docs", "passages", "collection", "contexts", "articles", "van_ban")
QUERIES = ("query", "queries", "questions", "topics", "cau_hoi")
QRELS = ("qrels", "qrel", "judgements", "judgments", "relevance", "labels")
LOOKED_AT = 20_000
"""Documents at the most whose ids are held against the cells that name several."""
SUFFIXES = {".csv", ".tsv", ".jsonl", ".json", ".xlsx", ".parquet"}
SEPARATORS = (",", ";", "|", "\n")


@dataclass(frozen=True)
class Look:
    """A file, and its first rows."""

    path: Path
    head: Head

    @classmethod
    def at(cls, path: Path) -> Look | None:
        """None of a folder, and of what holds no rows that can be read."""
        if not path.is_file() and not is_saved(path):
            return None
        try:
            head = head_of(path)
        except DataError:
            return None
        return cls(path, head) if head.rows else None

    @property
    def columns(self) -> list[str]:
        return self.head.columns

    @property
    def rows(self) -> list[Row]:
        return self.head.rows

    def column(self, role: Role, more: Sequence[str] = (), without: Iterable[str] = ()) -> str | None:
        found = guessed(self.columns, (*COLUMNS[role], *more), without)
        return found if found and may_hold(role, [row.fields.get(found) for row in self.rows]) else None

    @property
    def words(self) -> set[str]:
        """Of its name."""
        return {*re.split("[_.]", simple(self.path.name)), simple(self.path.name.partition(".")[0])}

    def is_called(self, names: Sequence[str]) -> bool:
        return any(name in self.words for name in names)

    @property
    def split(self) -> Split | None:
        return next((SPLIT_NAMES[word] for word in sorted(self.words) if word in SPLIT_NAMES), None)

    def mean_length(self, column: str) -> float:
        lengths = [len(str(row.fields.get(column) or "")) for row in self.rows]
        return sum(lengths) / len(lengths)


def files_among(paths: Sequence[Path]) -> list[Path]:
    """The files, or those in the one folder that is given whose names say that they hold rows; or the splits of a saved
    DatasetDict."""
    if len(paths) == 1 and (paths[0] / DICT).is_file():
        return [paths[0] / name for name in split_names(paths[0])]
    if len(paths) == 1 and paths[0].is_dir() and not is_saved(paths[0]):
        return sorted(path for path in paths[0].iterdir() if not SUFFIXES.isdisjoint(path.suffixes))
    return list(paths)


def looked_at(paths: Sequence[Path]) -> list[Look] | None:
    """A look at each, as `files_among`; None where one of them holds no rows."""
    looks = [Look.at(path) for path in files_among(paths)]
    found = [look for look in looks if look is not None]
    return found if found and len(found) == len(looks) else None


def as_option(looks: Sequence[Look]) -> Any:
    """Of one kind: the one file; those of each split, where their names tell; or a list."""
    if len(looks) == 1:
        return str(looks[0].path)
    splits = [look.split for look in looks]
    if all(splits) and len(set(splits)) == len(splits):
        return with_a_test({split: str(look.path) for split, look in zip(splits, looks, strict=True) if split})
    return [str(look.path) for look in looks]


def tables_among(paths: Sequence[Path]) -> dict[str, Any] | None:
    """The options of reader `table` for these files; None where they are no tables, or have no usual names."""
    looks = looked_at(paths)
    if looks is None:
        return None
    kinds = _kinds(looks)
    if not (kinds["rows"] or (kinds["documents"] and kinds["queries"])):
        return None
    options = {kind: as_option(found) for kind, found in kinds.items() if found}
    columns: dict[Role, list[str]] = {}
    for kind, found in kinds.items():
        for look in found:
            for role, column in _roles(look, kind, bool(kinds["documents"]), bool(kinds["qrels"])).items():
                if column not in columns.setdefault(role, []):
                    columns[role].append(column)
    options["columns"] = {role: found[0] if len(found) == 1 else found for role, found in columns.items()}
    if kinds["documents"] and (separator := _separator(kinds, columns)):
        options["separator"] = separator
    return options


def _kinds(looks: Sequence[Look]) -> dict[str, list[Look]]:
    kinds: dict[str, list[Look]] = {"documents": [], "queries": [], "rows": [], "qrels": []}
    for look in looks:
        kinds[_kind(look)].append(look)
    unclear = kinds["documents"] if not kinds["queries"] else kinds["queries"] if not kinds["documents"] else []
    if len(unclear) == 2 and not kinds["rows"]:  # both have an id and a text: those of documents are longer
        longer = sorted(unclear, key=lambda look: look.mean_length(_text(look)))
        kinds["queries"], kinds["documents"] = longer[:1], longer[1:]
    if kinds["documents"] and not kinds["queries"]:  # a row names its document
        kinds["queries"], kinds["rows"] = kinds["rows"], []
    return kinds


def _text(look: Look) -> str:
    return look.column("document") or look.column("query", TEXTS) or look.columns[0]


def _kind(look: Look) -> str:
    query, query_id = look.column("query"), look.column("query_id")
    document, document_id = look.column("document"), look.column("document_id")
    if look.is_called(QRELS) or (query_id and document_id and not query and not document):
        return "qrels"
    if query and (document or document_id) and not look.is_called(QUERIES):
        return "rows"
    if query or (look.is_called(QUERIES) and not look.is_called(DOCUMENTS)):
        return "queries"
    return "documents"


def _roles(look: Look, kind: str, apart: bool, judged: bool) -> dict[Role, str]:
    """`apart`: there is a file of documents; `judged`: there is one of judgements."""
    more: dict[Role, Sequence[str]] = {}
    roles: tuple[Role, ...] = ("query", "query_id", "document_id", "document", "title", "grade", "split", "group")
    if kind == "documents":
        roles, more = ("document", "document_id", "title"), {"document_id": IDS}
    elif kind == "queries":
        more = {"query": TEXTS, "query_id": IDS}
        roles = ("query", "query_id", "split", "group") if judged else tuple(role for role in roles if role != "title")
    found: dict[Role, str] = {}
    for role in roles:
        if role == "document" and kind != "documents" and apart and "document_id" in found:
            continue
        if (column := look.column(role, more.get(role, ()), found.values())) is not None:
            found[role] = column
    return found


def _separator(kinds: dict[str, list[Look]], columns: dict[Role, list[str]]) -> str | None:
    """What stands between several ids in the cells of judgements, if it does in any."""
    cells = [
        str(row.fields[column])
        for look in (*kinds["queries"], *kinds["rows"], *kinds["qrels"])
        for row in look.rows
        for column in columns.get("document_id", ())
        if row.fields.get(column) is not None
    ]
    ids: set[str] = set()
    for look in kinds["documents"]:
        with suppress(DataError):  # which reading will tell; the ids until there are enough for a guess
            for row in islice(rows_of(look.path, damage=Damage()), LOOKED_AT):
                named = (row.fields.get(column) for column in columns.get("document_id", ()))
                ids |= {str(id_).strip() for id_ in named if id_ is not None}
    counts = dict.fromkeys(SEPARATORS, 0)
    for cell in cells:
        for separator in SEPARATORS:
            parts = [part.strip() for part in cell.split(separator) if part.strip()]
            counts[separator] += len(parts) > 1 and cell not in ids and ids.issuperset(parts)
    best = max(SEPARATORS, key=lambda separator: counts[separator])
    return best if counts[best] else None
