"""What several splits ask, and what several documents say: equal, or equal in the normal form of `texts.near`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rr.data import equal_queries, folded
from rr.types import Dataset, Document
from rr_bench.data.damage import equal_documents
from rr_bench.data.texts import near

PAIRS = (("train", "dev"), ("train", "test"), ("dev", "test"))


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
    being equal, and `targets`: with a history, the last item and a target of theirs follow each other there; without
    one, they are equal or near and have a relevant text in common. `texts`: of `folded_texts`."""
    equal = equal_queries(dataset.queries.values())
    form = _near_forms(dataset)
    # what a query and one of its targets are known by
    pairs = {
        query.id: {
            ((texts[query.history[-1].id],) if query.history else form[query.id], texts[id_])
            for id_ in relevant[query.id]
        }
        for query in dataset.queries.values()
    }
    found = {}
    for earlier, later in PAIRS:
        asked, queries = dataset.splits.get(earlier, ()), dataset.splits.get(later, ())
        asked_equal, asked_near = {equal[q] for q in asked}, {form[q] for q in asked}
        known = {pair for q in asked for pair in pairs[q]}
        found[f"{earlier}/{later}"] = {
            "equal": sum(equal[q] in asked_equal for q in queries),
            "near": sum(form[q] in asked_near and equal[q] not in asked_equal for q in queries),
            "targets": sum(not known.isdisjoint(pairs[q]) for q in queries),
            "of": len(queries),
        }
    return found


def duplicates(
    dataset: Dataset, relevant: Mapping[str, set[str]], near_documents: Sequence[Sequence[Document]]
) -> dict[str, int]:
    """`documents` with the text of another; `positives`: relevant ones with a copy that is not judged relevant; `near`
    ones differ from another, but not in their normal form. `near_documents`: those with one normal form."""
    copies = {id_: ids for ids in equal_documents(dataset.documents.values()).values() for id_ in ids}
    unlike = (group for group in near_documents if len({folded(document.content) for document in group}) > 1)
    return {
        "documents": len(copies),
        "positives": sum(not judged.issuperset(copies.get(id_, ())) for judged in relevant.values() for id_ in judged),
        "near": sum(map(len, unlike)),
    }


def _near_forms(dataset: Dataset) -> dict[str, tuple[str, ...]]:
    """Query id → what near queries have in common: the normal form of the text and of each item of the history."""
    items = {item.id: item for query in dataset.queries.values() for item in query.history}
    texts = {id_: near(item.content) or id_ for id_, item in items.items()}
    return {q.id: (near(q.text), *(texts[item.id] for item in q.history)) for q in dataset.queries.values()}
