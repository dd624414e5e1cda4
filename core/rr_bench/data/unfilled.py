"""Texts of a collection that are no texts: templates that were never filled in, and what else looks like a mistake of
the program that wrote the data."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection as Ids
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from rr.data import folded
from rr.data.collection import Collection
from rr.errors import DataError
from rr.types import Query
from rr_bench.data.corpus import Remaining
from rr_bench.registry import Unfilled

T = TypeVar("T")
SHOWN = 60
"""Characters of a text that a note shows."""

# {name}, {{ name }}, {0}, {}, ${name}, {% tag %}, %(name)s, %s, <%= name %>
_PLACEHOLDER = r"(?:\$?\{\{?[%#]?[\w .:\[\]'\"|()-]*[%#]?\}\}?|%\(\w+\)[sdfr]|%[sdr]|<%[^%<>]*%>)"
_WHOLLY = re.compile(rf"(?:{_PLACEHOLDER}[\s,.;:!?/|·–-]*)+")
# inside other words only what hardly anything else looks like: code and formulas hold braces too
_PARTLY = re.compile(r"\$\{\w+\}|\{\{ ?\w+ ?\}\}|\{[A-Za-z]+(?:_\w+)*\}|%\(\w+\)[sd]")
_SUSPICIOUS = re.compile(
    r"nan|none|null|undefined|nil|n/a|#n/a|#ref!|#value!|#name\?|todo|tbd|fixme|placeholder|lorem ipsum.*"
    r"|\[object object\]|<[\w -]+>|\[[A-Z_ ]+\]",
    re.IGNORECASE | re.DOTALL,
)


def without_unfilled(collection: Collection, choice: Unfilled) -> Collection:
    """The collection without texts that are nothing but placeholders, or as it is, as `choice` says; with notes that
    name and count them, texts that only hold a placeholder, and texts such as `NaN`, which are kept.

    Raises:
        DataError: there is one, and `choice` is error; or nothing else is left.
    """
    found_in = {
        "documents": _matching((id_, document.content) for id_, document in collection.documents.items()),
        "queries": _matching((id_, query.text) for id_, query in collection.queries.items()),
    }
    wholly, partly, suspicious = ({kind: found[place] for kind, found in found_in.items()} for place in range(3))
    notes = list(collection.notes)
    if any(wholly.values()):
        found = _said(collection, wholly)
        if choice == "error":
            raise DataError(f"template text left unfilled: {found}; fill it in, or set `unfilled: skip` or `keep`")
        done = "left out, with what they were judged" if choice == "skip" else "kept, as the entry's `unfilled` says"
        notes.append(f"template text left unfilled: {found}; {done}")
        if choice == "skip":
            collection = without_texts(collection, wholly["documents"], wholly["queries"])
    for what, some in (("with a placeholder in them", partly), ("that say nothing", suspicious)):
        if any(some.values()):
            notes.append(f"texts {what}, it seems, kept: {_said(collection, some)}")
    return replace(collection, notes=tuple(notes))


def _matching(texts: Iterable[tuple[str, str]]) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Id → text, as it begins: of those that are nothing but placeholders, and of others that hold one, or say nothing.
    All other texts are looked at one after the other, and none is held."""
    wholly, partly, suspicious = dict[str, str](), dict[str, str](), dict[str, str]()
    for id_, given in texts:
        text = folded(given)
        if text and _WHOLLY.fullmatch(text):
            wholly[id_] = text[:SHOWN]
            continue
        for found, matches in ((partly, _PARTLY.search), (suspicious, _SUSPICIOUS.fullmatch)):
            if text and matches(text):
                found[id_] = text[:SHOWN]
    return wholly, partly, suspicious


def _said(collection: Collection, found: Mapping[str, Mapping[str, str]]) -> str:
    judged = Counter(id_ for grades in collection.qrels.values() for id_, grade in grades.items() if grade > 0)
    parts = []
    for kind, texts in found.items():
        if texts:
            first = max(texts, key=lambda id_: judged[id_]) if kind == "documents" else next(iter(texts))
            relevant = f", relevant to {judged[first]} queries" if kind == "documents" else ""
            parts.append(f"{len(texts)} {kind}, such as {texts[first]!r} ({first}{relevant})")
    return " and ".join(parts)


def without_texts(collection: Collection, documents: Ids[str], queries: Ids[str]) -> Collection:
    """The collection without these documents and queries, and without all that is said of them."""
    left: dict[str, Query] = {
        id_: replace(query, history=tuple(d for d in query.history if d.id not in documents))
        if query.history
        else query
        for id_, query in collection.queries.items()
        if id_ not in queries
    }

    def of_left(table: Mapping[str, T]) -> dict[str, T]:
        return {query_id: value for query_id, value in table.items() if query_id in left}

    def kept(values: Mapping[str, T]) -> dict[str, T]:
        return {id_: value for id_, value in values.items() if id_ not in documents}

    def judged(grades: Mapping[str, int]) -> dict[str, int] | None:
        """None where nothing relevant is left: that does not say that the query has no answer."""
        found = kept(grades)
        return found if any(g > 0 for g in found.values()) or not any(g > 0 for g in grades.values()) else None

    remaining = Remaining(collection.documents, documents)
    if not remaining or not left:
        raise DataError("all its texts are template text left unfilled; fill it in")
    return replace(
        collection,
        documents=remaining,
        queries=left,
        qrels={
            query_id: found
            for query_id, grades in of_left(collection.qrels).items()
            if (found := judged(grades)) is not None
        },
        splits={name: [q for q in query_ids if q in left] for name, query_ids in collection.splits.items()},
        groups=of_left(collection.groups),
        facets={facet: of_left(values) for facet, values in collection.facets.items()},
        hard_negatives={
            query_id: [n for n in negatives if n.document_id not in documents]
            for query_id, negatives in of_left(collection.hard_negatives).items()
        },
        run={query_id: kept(scores) for query_id, scores in of_left(collection.run).items()},
    )
