"""Equal texts under several ids: one thing to splits and negatives, though each keeps its id.

Equal means equal in Unicode's composed form, with every run of blanks taken for one.
"""

from __future__ import annotations

from collections.abc import Iterable

from rr.types import Document, Query


def folded(text: str) -> str:
    """What equal texts have in common; `text` is NFC-normalised, as those of queries and documents are."""
    return " ".join(text.split())


def equal_documents(documents: Iterable[Document]) -> dict[str, tuple[str, ...]]:
    """Folded text → ids, of the texts that several documents have; blank ones are not among them."""
    ids: dict[str, list[str]] = {}
    for document in documents:
        ids.setdefault(folded(document.content), []).append(document.id)
    return {text: tuple(found) for text, found in ids.items() if text and len(found) > 1}


def equal_queries(queries: Iterable[Query]) -> dict[str, str]:
    """Query id → the id of the first query that asks the same, by its text and its history's."""
    texts: dict[str, str] = {}  # of documents, which stand in many histories
    first: dict[tuple[str, ...], str] = {}
    equal = {}
    for query in queries:
        for met in query.history:
            if met.id not in texts:
                texts[met.id] = folded(met.content) or met.id
        asked = (folded(query.text), *(texts[met.id] for met in query.history))
        equal[query.id] = first.setdefault(asked, query.id)
    return equal
