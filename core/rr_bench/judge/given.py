"""Runs and judgements as a program holds them, checked as those of files are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar

from rr.errors import DataError
from rr.types import Ranking
from rr_bench.arguments import listed
from rr_bench.judge.files import GRADES, RunFile, read_qrels_file, read_run_file

Number = TypeVar("Number", int, float)
NAME = "run"
"""Of a run that is no file."""


def given_run(given: object, name: str = NAME) -> RunFile:
    """A mapping query → document → score; rankings, in which a query comes once; or the path of a file.

    Raises:
        TypeError: it is something else; the place is named.
        DataError: the file is missing or malformed, a score is no finite number, or a query comes twice.
    """
    if isinstance(given, str | Path):
        return read_run_file(Path(given))
    if isinstance(given, Mapping):
        return RunFile(Path(name), _numbers(NAME, given, "score", float))
    scores: dict[str, dict[str, float]] = {}
    for place, one in enumerate(listed(NAME, given, "rankings")):
        if not isinstance(one, Ranking):
            raise TypeError(f"{NAME}[{place}] is {type(one).__name__}, not rr.Ranking")
        if one.query.id in scores:
            raise DataError(f"{NAME}[{place}]: query {one.query.id!r} came already; give each query an id of its own")
        scores[one.query.id] = one.run
    return RunFile(Path(name), scores)


def given_qrels(given: object) -> tuple[dict[str, dict[str, int]], list[str]]:
    """Query → document → grade, of a mapping or a file; and what is odd about the file, one line each.

    Raises:
        TypeError: it is something else; the place is named.
        DataError: the file is missing or malformed, nothing is judged, or a grade does not fit into 32 bits.
    """
    if isinstance(given, str | Path):
        return read_qrels_file(Path(given))
    if not isinstance(given, Mapping):
        raise TypeError(f"qrels is {type(given).__name__}; give {{query: {{document: grade}}}}, or the path of a file")
    if not given:
        raise DataError("qrels is empty; give the judgements of one query at least")
    return _numbers("qrels", given, "grade", int), []


def _numbers(name: str, given: Mapping[Any, Any], what: str, number: type[Number]) -> dict[str, dict[str, Number]]:
    found: dict[str, dict[str, Number]] = {}
    kind: type = Integral if number is int else Real
    for query, values in given.items():
        if not isinstance(query, str):
            raise TypeError(f"{name} has the key {query!r}, which is {type(query).__name__}, not the id of a query")
        if not isinstance(values, Mapping):
            raise TypeError(f"{name}[{query!r}] is {type(values).__name__}, not {{document: {what}}}")
        found[query] = {}
        for id_, value in values.items():
            at = f"{name}[{query!r}][{id_!r}]"
            if not isinstance(id_, str):
                raise TypeError(f"{at}: the id of a document is {type(id_).__name__}, not str")
            fits = isinstance(value, kind) and not isinstance(value, bool)
            if not fits:
                raise TypeError(f"{at} is {type(value).__name__}, not {number.__name__}")
            if not math.isfinite(value) or (number is int and int(value) not in GRADES):
                raise DataError(f"{at} is {value}, which is no {what}; correct it")
            found[query][id_] = number(value)
    return found
