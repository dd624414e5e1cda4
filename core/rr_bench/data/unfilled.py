"""Texts of a collection that are no texts: templates that were never filled in, and what else looks like a mistake of
the program that wrote the data."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from collections.abc import Collection as Ids
from dataclasses import replace
from typing import TypeVar

from rr.data import folded
from rr.data.collection import Collection
from rr.errors import DataError
from rr.types import Document, Query
from rr_bench.registry import Unfilled

T = TypeVar("T")

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
    texts = {
        "documents": {id_: folded(document.content) for id_, document in collection.documents.items()},
        "queries": {id_: folded(query.text) for id_, query in collection.queries.items()},
    }
    wholly = {kind: _matching(of_kind, _WHOLLY.fullmatch) for kind, of_kind in texts.items()}
    notes = list(collection.notes)
    if any(wholly.values()):
        found = _said(collection, wholly)
        if choice == "error":
            raise DataError(f"template text left unfilled: {found}; fill it in, or set `unfilled: skip` or `keep`")
        done = "left out, with what they were judged" if choice == "skip" else "kept, as the entry's `unfilled` says"
        notes.append(f"template text left unfilled: {found}; {done}")
        if choice == "skip":
            collection = without_texts(collection, wholly["documents"], wholly["queries"])
    for what, pattern in (("with a placeholder in them", _PARTLY.search), ("that say nothing", _SUSPICIOUS.fullmatch)):
        partly = {
            kind: {id_: t for id_, t in _matching(of_kind, pattern).items() if id_ not in wholly[kind]}
            for kind, of_kind in texts.items()
        }
        if any(partly.values()):
            notes.append(f"texts {what}, it seems, kept: {_said(collection, partly)}")
    return replace(collection, notes=tuple(notes))


def _matching(texts: Mapping[str, str], matches: Callable[[str], object]) -> dict[str, str]:
    return {id_: text for id_, text in texts.items() if text and matches(text)}


def _said(collection: Collection, found: Mapping[str, Mapping[str, str]]) -> str:
    judged = Counter(id_ for grades in collection.qrels.values() for id_, grade in grades.items() if grade > 0)
    parts = []
    for kind, texts in found.items():
        if texts:
            first = max(texts, key=lambda id_: judged[id_]) if kind == "documents" else next(iter(texts))
            relevant = f", relevant to {judged[first]} queries" if kind == "documents" else ""
            parts.append(f"{len(texts)} {kind}, such as {texts[first][:60]!r} ({first}{relevant})")
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

    remaining: dict[str, Document] = kept(collection.documents)
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
