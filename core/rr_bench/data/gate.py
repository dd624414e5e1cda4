"""The gate that every reader and retriever passes: whether what they gave can be ranked and judged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import Any

from rr.data import Collection
from rr.errors import PluginError
from rr.types import Document, HardNegative, Query
from rr_bench.data.references import consistent

MOST_FILES = 100_000
"""That a reader may name: more come of a loop without an end."""


def checked_files(given: object, who: str) -> list[Path]:
    """What `files()` of a reader gave.

    Raises:
        PluginError: they are no paths.
    """
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise PluginError(f"{who}: files gave {type(given).__name__}, not a list of paths")
    found = list(islice(given, MOST_FILES + 1))
    if len(found) > MOST_FILES:
        raise PluginError(f"{who}: files gave more than {MOST_FILES:,} paths")
    for one in found:
        if not isinstance(one, str | Path):
            raise PluginError(f"{who}: files gave {type(one).__name__} among its paths")
    return [Path(one) for one in found]


def checked_collection(given: object, who: str) -> Collection:
    """What `read()` of a reader gave, checked again: a subclass, or `object.__setattr__`, may have gone around it.

    Raises:
        PluginError: it is no collection; something in it is of another type than it must be; or a document or a query
            stands under another id than its own, by which no ranking of it would ever be judged.
        DataError: see `rr.data.Collection` and `rr_bench.data.references.consistent`.
    """
    if not isinstance(given, Collection):
        raise PluginError(f"{who} gave {type(given).__name__}, not rr.data.Collection")
    for what, kind, mapping in (("document", Document, given.documents), ("query", Query, given.queries)):
        for id_, one in _pairs(mapping, f"{who}: a {what}"):
            if not isinstance(one, kind):
                raise PluginError(f"{who}: {what} {id_!r} is {type(one).__name__}, not rr.{kind.__name__}")
            if one.id != id_:
                raise PluginError(f"{who}: {what} {one.id!r} stands under the id {id_!r}; give it one of them")
    for query_id, query in given.queries.items():
        if not all(isinstance(one, Document) for one in query.history):
            raise PluginError(f"{who}: the history of query {query_id!r} holds something else than rr.Document")
    for query_id, judged in _pairs(given.qrels, f"{who}: a judgement"):
        for id_, grade in _pairs(judged, f"{who}: a judgement of query {query_id!r}"):
            if not isinstance(grade, int) or isinstance(grade, bool):
                raise PluginError(f"{who}: query {query_id!r} judges document {id_!r} {grade!r}; give a whole number")
    for query_id, scores in _pairs(given.run, f"{who}: a run line"):
        _numbers(scores, f"{who}: the run of query {query_id!r}")
    for query_id, negatives in _pairs(given.hard_negatives, f"{who}: hard negatives"):
        if isinstance(negatives, str) or not isinstance(negatives, Iterable):
            raise PluginError(f"{who}: query {query_id!r} has {negatives!r} as hard negatives; give a list")
        for one in negatives:
            if not isinstance(one, HardNegative) or not _finite(one.weight):
                raise PluginError(f"{who}: query {query_id!r} has {one!r} as a hard negative; give rr.HardNegative")
    for query_id, group in _pairs(given.groups, f"{who}: a group"):
        if not isinstance(group, str):
            raise PluginError(f"{who}: query {query_id!r} is of group {group!r}; give a text")
    for facet, values in _pairs(given.facets, f"{who}: a field of queries"):
        for query_id, value in _pairs(values, f"{who}: field {facet!r}"):
            if query_id not in given.queries:
                raise PluginError(f"{who}: field {facet!r} names query {query_id!r}, which does not exist")
            if not isinstance(value, str):
                raise PluginError(f"{who}: query {query_id!r} has {facet!r} {value!r}; give a text")
    if isinstance(given.notes, str) or not all(isinstance(note, str) for note in given.notes):
        raise PluginError(f"{who}: notes are {given.notes!r}; give a tuple of texts")
    return consistent(Collection(**{field.name: getattr(given, field.name) for field in fields(Collection)}))


def checked_first_stage(given: object, documents: Mapping[str, Document], who: str) -> dict[str, float]:
    """What `scores()` of a retriever gave for one query: document id → score.

    Raises:
        PluginError: it is no mapping of known ids to finite numbers.
    """
    found = _numbers(given, who)
    if not found.keys() <= documents.keys():
        unknown = next(id_ for id_ in found if id_ not in documents)
        raise PluginError(f"{who} found document {unknown!r}, which does not exist")
    return found


def _numbers(given: object, who: str) -> dict[str, float]:
    if type(given) is dict and _plain(given):
        return dict(given)
    found: dict[str, float] = {}
    for id_, value in _pairs(given, who):
        if not _finite(value):
            raise PluginError(f"{who} scores document {id_!r} {value!r}, which is no finite number")
        found[id_] = float(value)  # type: ignore[arg-type]
    return found


def _plain(given: dict[Any, Any]) -> bool:
    """Whether nothing is wrong with any of it, told without a look at one after the other: a first stage scores all
    documents for every query. What is not plain may be right all the same."""
    return (
        {*map(type, given)} <= {str}
        and {*map(type, given.values())} <= {float}
        and all(map(str.strip, given))
        and all(map(math.isfinite, given.values()))
    )


def _finite(value: object) -> bool:
    if isinstance(value, str | bytes | bool):
        return False
    try:
        return math.isfinite(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return False


def _pairs(mapping: object, who: str) -> Iterable[tuple[str, object]]:
    if not isinstance(mapping, Mapping):
        raise PluginError(f"{who} is {type(mapping).__name__}, not a mapping by id")
    for id_, value in mapping.items():
        if not isinstance(id_, str) or not id_.strip():
            raise PluginError(f"{who} is called {id_!r}; an id is a text that is not blank")
        yield id_, value
