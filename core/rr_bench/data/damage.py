"""What is odd about judgements and candidates: counted, in the words of a data set's notes. Nothing is changed here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from rr.data import folded
from rr.data.collection import Collection
from rr.types import Dataset, Document

CROWDED = 10
"""Queries at the least that a document is relevant to before that is called many."""


def judgement_notes(collection: Collection) -> list[str]:
    """On relevant documents that cannot be read, and on documents that are relevant to very many queries: at least
    `CROWDED`, and a quarter of all or 20 times as many as a relevant document's mean."""
    relevant = [
        (query_id, id_) for query_id, grades in collection.qrels.items() for id_, grade in grades.items() if grade > 0
    ]
    notes = []
    absent, blank = [], []
    for pair in relevant:
        document = collection.documents.get(pair[1])
        if document is None:
            absent.append(pair)
        elif document.blank:
            blank.append(pair)
    for what, pairs in (
        ("are not in the corpus and count as missed", absent),
        ("have no text and count as missed, unless the first stage knows them by their ids", blank),
    ):
        if pairs:
            query_id, id_ = pairs[0]
            notes.append(f"{len(pairs)} of {len(relevant)} relevant documents {what}, first {id_!r} of {query_id!r}")
    # what a user watches next is popular or it is not
    asked = {query_id for query_id, query in collection.queries.items() if not query.history}
    counts = Counter(id_ for query_id, id_ in relevant if query_id in asked)
    mean = counts.total() / max(len(counts), 1)
    for id_, count in counts.most_common(3):
        if count >= CROWDED and (count > len(asked) / 4 or count > 20 * mean):
            text = folded(collection.documents[id_].content)[:40] if id_ in collection.documents else ""
            notes.append(f"document {id_!r} ({text!r}) is relevant to {count} of {len(asked)} queries")
    return notes


def copy_notes(dataset: Dataset) -> list[str]:
    """On test queries that are concerned where several documents have one text: no reranker can tell an unjudged copy
    of a relevant document from it, though the metrics do; and a text that train holds as relevant is known."""
    equal = equal_documents(dataset.documents.values())
    if not equal:
        return []
    text_of = {id_: text for text, ids in equal.items() for id_ in ids}
    learnt: dict[str, set[str]] = {}
    for query_id in dataset.splits.get("train", ()):
        for id_ in dataset.relevant(query_id) & text_of.keys():
            learnt.setdefault(text_of[id_], set()).add(id_)
    copies, copied, known = 0, 0, 0
    for query_id in dataset.splits["test"]:
        relevant = dataset.relevant(query_id)
        answers = {text_of[id_] for id_ in relevant if id_ in text_of}
        found = sum(id_ not in relevant and text_of.get(id_) in answers for id_ in dataset.candidates[query_id])
        copies, copied = copies + found, copied + bool(found)
        known += any(learnt.get(text, set()) - relevant for text in answers)
    notes = []
    if copies:
        notes.append(
            f"{copies} candidates of {copied} test queries have the text of a relevant document under an id that is "
            "not judged relevant, and count as wrong"
        )
    if known:
        notes.append(f"{known} test queries have a relevant text that train has as relevant too, under another id")
    return notes


def equal_documents(documents: Iterable[Document]) -> dict[str, tuple[str, ...]]:
    """Folded text → ids, of the texts that several documents have; blank ones are not among them."""
    ids: dict[str, list[str]] = {}
    for document in documents:
        ids.setdefault(folded(document.content), []).append(document.id)
    return {text: tuple(found) for text, found in ids.items() if text and len(found) > 1}
