"""Splits that a data set's entry gives: in files of query ids, or all in one."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from rr.data import Damage, Row, equal_queries, lines, parse_json
from rr.data.collection import SPLITS, Collection, deal
from rr.data.rows import id_form
from rr.errors import DataError, RegistryError
from rr.registry.expansion import expanded
from rr_bench.data.references import apart, some
from rr_bench.registry import SplitPlan

HEADERS = ("query-id", "query_id", "queryid", "qid", "query", "_id", "id")
"""Names of the column, or of the key, that holds the id, in any case; the first that is there is meant."""


def split_files(plan: SplitPlan) -> list[Path]:
    """The files that the plan names; they are read as the reader's own are.

    Raises:
        RegistryError: a variable in a path is not set.
    """
    return list(_paths(plan).values())


def with_given_splits(collection: Collection, plan: SplitPlan) -> Collection:
    """The collection with the splits that the plan gives, in the place of the source's own.

    Of `train`, `dev` and `test` those that are files hold the queries that these name. Train and test, where only one
    of them is named, is all others; where neither is, the others are dealt by shares; dev, where it is not named, is
    drawn from train later, as ever. Queries that are left are in no split. A query that two files name is in the later
    split alone.

    Raises:
        DataError: a file is missing or cannot be read, or names a query that does not exist.
    """
    if plan.all is None and not plan.files:
        return collection
    judged = [query_id for query_id in collection.queries if query_id in collection.qrels]
    notes = ["the splits of the source are not kept: the entry gives its own"] if collection.splits else []
    if plan.all is not None:
        return replace(collection, splits={plan.all: judged}, notes=(*collection.notes, *notes))
    damage = Damage()
    forms = _forms(collection)
    named = {
        split: list(dict.fromkeys(_known(path, collection, forms, damage))) for split, path in _paths(plan).items()
    }
    notes += damage.told()
    splits, told = apart(named)
    taken = {query_id for query_ids in splits.values() for query_id in query_ids}
    left = [query_id for query_id in judged if query_id not in taken]
    if "train" not in named and "test" not in named:
        groups = {**equal_queries(collection.queries[q] for q in left), **collection.groups}
        splits |= deal(left, groups, {"test": plan.test_share}, plan.seed)
    elif len({"train", "test"} & named.keys()) == 1:
        splits["test" if "train" in named else "train"] = left
    elif left:
        told.append(f"{len(left)} queries that neither train nor test names, in no split: {some(left)}")
    found = {split: splits[split] for split in SPLITS if split in splits}
    return replace(collection, splits=found, notes=(*collection.notes, *notes, *told))


def _paths(plan: SplitPlan) -> dict[str, Path]:
    try:
        return {split: expanded(file) for split, file in plan.files.items()}
    except ValueError as error:
        raise RegistryError(f"split: {error}") from error


def _forms(collection: Collection) -> dict[str, list[str]]:
    forms: dict[str, list[str]] = {}
    for query_id in collection.queries:
        forms.setdefault(id_form(query_id), []).append(query_id)
    return forms


def _known(path: Path, collection: Collection, forms: Mapping[str, list[str]], damage: Damage) -> Iterator[str]:
    """The ids that the file gives, as the queries have them."""
    for row, spellings in _ids(path):
        with damage.row():
            meant = next((one for one in spellings if one in collection.queries), None)
            if meant is None:
                same = forms.get(id_form(spellings[-1]), [])
                if len(same) != 1:
                    raise row.error(f"query {spellings[-1]!r} does not exist; correct the id")
                (meant,) = same
            yield meant


def _ids(path: Path) -> Iterator[tuple[Row, tuple[str, ...]]]:
    """Each row with what its id may be: the whole line, or else its cell. A file is JSON lines, a table whose cells are
    parted by tabs (or commas, where it is called .csv) with or without a header, TREC qrels, or one id a line."""
    column: int | None = None
    for number, line in lines(path):
        text = line.strip()
        if not text:
            continue
        row = Row(path, f"line {number}", {})
        if text.startswith("{"):
            row = Row.of(path, row.at, parse_json(text, str(path), number))
            key = next((name for name in HEADERS if name in row.fields), HEADERS[0])
            yield row, (row.id(key),)
            continue
        cells = _cells(path, line)
        if column is None:
            header = [cell.strip().casefold() for cell in cells]
            titles = [header.index(name) for name in HEADERS if name in header]
            column = titles[0] if titles else 0
            if titles:
                continue
        if column >= len(cells):
            raise DataError(f"{path}, {row.at}: {len(cells)} columns, and the ids stand in column {column + 1}")
        cell = cells[column].strip()
        yield row, (text, cell or text)


def _cells(path: Path, line: str) -> list[str]:
    if "\t" in line:
        return line.split("\t")
    if path.name.casefold().partition(".")[2].startswith("csv"):
        return next(csv.reader([line]))
    return line.split()
