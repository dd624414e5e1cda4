"""What each file of reader `table` holds (documents, queries, judgements, or all of that joined) in which columns."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rr import DataError
from rr.data import missing
from rr_data.columns import COLUMNS, IDS, TEXTS, Named, Role, guessed, may_hold, said, simple
from rr_data.formats import Head
from rr_data.sources import Split

Kind = Literal["documents", "queries", "qrels", "rows"]
NAMING = ("document", "doc", "passage", "context", "paragraph", "van_ban", "doan_van", "tai_lieu", "positive", "pos")
"""Columns of a query that name a document where there is a file of documents; an answer is none of them."""


@dataclass(frozen=True)
class File:
    kind: Kind
    split: Split | None
    path: Path
    columns: Mapping[Role, str]

    def must_have(self, there: Sequence[str], *roles: Role) -> None:
        if not any(role in self.columns for role in roles):
            problem = missing("column", [roles[0]], [column for column in there if column])
            raise DataError(f"{self.path}: {problem}; name yours under columns.{roles[0]}")


def understood(kind: Kind, split: Split | None, path: Path, head: Head, named: Named, others: Collection[Kind]) -> File:
    """The file with the columns of its roles: those that its owner `named`, and else those that are guessed. `others`:
    the kinds of the files that it comes with.

    Raises:
        DataError: it lacks a column that such a file must have, or one that seems to hold grades does not.
    """
    columns = head.columns
    more: dict[Role, Sequence[str]] = {}
    roles: tuple[Role, ...] = ("query", "query_id", "document_id", "document", "title", "grade", "split", "group")
    if kind == "documents":
        roles, more = ("document", "document_id", "title"), {"document_id": IDS}
    elif kind == "queries":
        more = {"query": TEXTS, "query_id": IDS}
    if kind == "queries" and "qrels" in others:
        roles = ("query", "query_id", "split", "group")
    found: dict[Role, str] = {}
    for role in roles:
        left = [column for column in columns if column not in found.values()]
        if (column := said(named, role, left, path)) is not None:
            found[role] = column
            continue
        # an `id` may be named for documents, and be here that of the queries
        own = kind == "queries" and role == "query_id"
        column = guessed(left, (*COLUMNS[role], *more.get(role, ())), () if own else _said_of_others(named, role))
        if column is None or _is_denied(named, role) or not _is_likely(kind, role, column, found, others):
            continue
        if may_hold(role, values := [row.fields.get(column) for row in head.rows]):
            found[role] = column
        elif role == "grade":
            raise DataError(
                f"{path}: column {column!r} seems to hold grades, and holds {values[0]!r}; name the column of "
                "whole numbers under columns.grade, null if every row is relevant; reader pairs takes scores"
            )
    file = File(kind, split, path, found)
    if kind == "documents":
        file.must_have(columns, "document", "title")
    elif kind == "queries":
        file.must_have(columns, "query")
    else:
        file.must_have(columns, "query", "query_id")
        file.must_have(columns, "document", "document_id")
    return file


def _is_denied(named: Named, role: Role) -> bool:
    return role in named and named[role] is None


def _said_of_others(named: Named, role: Role) -> list[str]:
    wanted = (names for other, names in named.items() if other != role and names is not None)
    return [name for names in wanted for name in ((names,) if isinstance(names, str) else names)]


def _is_likely(kind: Kind, role: Role, column: str, found: Mapping[Role, str], others: Collection[Kind]) -> bool:
    """Whether a guess is one in such a file."""
    if role == "document" and kind in ("queries", "rows") and "documents" in others:
        return "document_id" not in found and simple(column) in NAMING
    # without a document there is nothing to grade: a `label` is the query's
    return role != "grade" or not {"document", "document_id"}.isdisjoint(found)
