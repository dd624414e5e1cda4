"""What several splits ask, and what several documents say: equal, or equal in the normal form of `texts.near`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

from rr.data import equal_queries, folded
from rr.types import Dataset, Document, Query
from rr_bench.data.damage import equal_documents
from rr_bench.data.texts import near, words

PAIRS = (("train", "dev"), ("train", "test"), ("dev", "test"))
SIMILAR = 0.8
"""Jaccard similarity of two queries' words from which on they are near duplicates, if one text answers both."""
MOST = 1_000
"""Queries that a query is compared with because a text answers both."""


def folded_texts(dataset: Dataset, relevant: Mapping[str, set[str]]) -> dict[str, str]:
    """The texts of the documents that judgements or histories name; of one without a text its id."""
    named = {id_: dataset.documents[id_] for ids in relevant.values() for id_ in ids if id_ in dataset.documents}
    named |= {item.id: item for query in dataset.queries.values() for item in query.history}
    texts = {id_: id_ for ids in relevant.values() for id_ in ids}
    return texts | {id_: folded(document.content) or id_ for id_, document in named.items()}


def split_overlap(
    dataset: Dataset, relevant: Mapping[str, set[str]], texts: Mapping[str, str]
) -> dict[str, dict[str, int]]:
    """Of each pair of splits the queries of the later one (`of`) that the earlier one asks too: `equal`, `near` without
    being equal, and `targets`: with a history, its last item and a target of theirs follow each other there; without
    one, they are equal or near and have a relevant text in common. `similar`: without a history, neither equal nor
    near, but with nearly all words in common, and a relevant text; `answers`: with a relevant text in common, whatever
    is asked. `texts`: of `folded_texts`."""
    equal = equal_queries(dataset.queries.values())
    form = {q.id: (near(q.text), *(texts[item.id] for item in q.history)) for q in dataset.queries.values()}
    # what a query and one of its targets are known by
    pairs = {
        query.id: {
            ((texts[query.history[-1].id],) if query.history else form[query.id], texts[id_])
            for id_ in relevant[query.id]
        }
        for query in dataset.queries.values()
    }
    bags = {q.id: frozenset(words(q.text.split())) for q in dataset.queries.values() if not q.history}
    answers = {query_id: {near(texts[id_]) for id_ in ids} for query_id, ids in relevant.items()}
    found = {}
    for earlier, later in PAIRS:
        asked, queries = dataset.splits.get(earlier, ()), dataset.splits.get(later, ())
        asked_equal, asked_near = {equal[q] for q in asked}, {form[q] for q in asked}
        known = {pair for q in asked for pair in pairs[q]}
        answering: dict[str, list[str]] = {}
        for q in asked:
            for answer in answers[q]:
                answering.setdefault(answer, []).append(q)
        fresh = [q for q in queries if form[q] not in asked_near]
        found[f"{earlier}/{later}"] = {
            "equal": sum(equal[q] in asked_equal for q in queries),
            "near": sum(form[q] in asked_near and equal[q] not in asked_equal for q in queries),
            "targets": sum(not known.isdisjoint(pairs[q]) for q in queries),
            "similar": sum(
                any(
                    _jaccard(bags.get(q), bags.get(other)) >= SIMILAR
                    for answer in answers[q]
                    for other in answering.get(answer, ())[:MOST]
                )
                for q in fresh
            ),
            "answers": sum(not answers[q].isdisjoint(answering) for q in queries),
            "of": len(queries),
        }
    return found


def shared_queries(trained: Dataset, tested: Dataset) -> dict[str, int]:
    """Of two data sets the test queries of one that train or dev of the other has too: `equal` by text and history,
    `near` without being equal, and by `id`, whatever they ask."""
    learnt = [trained.queries[q] for split in ("train", "dev") for q in trained.splits.get(split, ())]
    test = [tested.queries[q] for q in tested.splits["test"]]

    def asked(query: Query) -> tuple[str, ...]:
        return (folded(query.text), *(folded(item.content) or item.id for item in query.history))

    def nearly(query: Query) -> tuple[str, ...]:
        return (near(query.text), *asked(query)[1:])

    equal, similar, ids = set(map(asked, learnt)), set(map(nearly, learnt)), {query.id for query in learnt}
    return {
        "equal": sum(asked(query) in equal for query in test),
        "near": sum(nearly(query) in similar and asked(query) not in equal for query in test),
        "id": sum(query.id in ids for query in test),
    }


def _jaccard(left: frozenset[str] | None, right: frozenset[str] | None) -> float:
    """0 where either has no words."""
    return len(left & right) / len(left | right) if left and right else 0.0


def duplicates(relevant: Mapping[str, set[str]], alike: Sequence[Sequence[Document]]) -> dict[str, int]:
    """`documents` with the text of another; `positives`: relevant ones with a copy that is not judged relevant; `near`
    ones differ from another, but not in their normal form. `alike`: all documents with one normal form stand in one."""
    copies = {id_: ids for ids in equal_documents(chain.from_iterable(alike)).values() for id_ in ids}
    versions: dict[str, list[str]] = {}
    for content in (folded(document.content) for group in alike for document in group):
        versions.setdefault(near(content), []).append(content)
    return {
        "documents": len(copies),
        "positives": sum(not judged.issuperset(copies.get(id_, ())) for judged in relevant.values() for id_ in judged),
        "near": sum(len(contents) for contents in versions.values() if len(set(contents)) > 1),
    }
