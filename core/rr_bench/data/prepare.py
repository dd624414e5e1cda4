"""From a collection to a data set: splits are drawn, candidates retrieved, put into an order and frozen."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from rr.border import plugin_code
from rr.data import equal_queries
from rr.data.collection import Collection
from rr.errors import DataError, PluginError
from rr.protocols import Corpus, Retriever, Searches
from rr.types import Dataset, float32, lost_in_32_bits, trec_order
from rr_bench.border.untouched import unchanged
from rr_bench.data.corpus import held, kept
from rr_bench.data.damage import copy_notes, judgement_notes, text_notes
from rr_bench.data.gate import checked_first_stage
from rr_bench.data.given import GIVEN, given_notes, own_run
from rr_bench.data.report import data_report
from rr_bench.data.report_notes import report_notes
from rr_bench.data.splits import draw_folds, draw_splits, limit_splits, must_have_answers, united_groups
from rr_bench.fingerprints import streamed_fingerprint
from rr_bench.progress import SILENT, Progress
from rr_bench.registry import CandidatePlan, SplitPlan

_NONE: Any = object()


def prepare(
    name: str,
    collection: Collection,
    split: SplitPlan,
    candidates: CandidatePlan,
    retriever: Retriever,
    progress: Progress = SILENT,
) -> Dataset:
    """The data set that every reranker is compared on."""
    whole, left_out = draw_splits(collection, split)
    splits, drawn = limit_splits(whole, split)
    if split.all != "train":
        must_have_answers(collection.qrels, splits["test"], "max_test leaves nothing to test")
    notes = (*left_out, *drawn)
    frozen = _frozen(name, collection, splits, whole["train"], candidates, retriever, notes, progress)
    return _reported(frozen, len(collection.documents))


def prepare_folds(
    name: str,
    collection: Collection,
    split: SplitPlan,
    candidates: CandidatePlan,
    retriever: Retriever,
    folds: int,
    progress: Progress = SILENT,
) -> list[Dataset]:
    """One data set a fold of a cross-validation by query: the same documents, queries and candidates, other splits.

    Raises:
        DataError: the data are sequential, or the first stage would have to be fitted anew for each fold.
    """
    if learns(candidates.retriever, retriever):
        raise DataError(
            f"folds need a first stage that does not learn from the train split, and {candidates.retriever} does; "
            "set candidates.retriever: bm25"
        )
    if any(query.history for query in collection.queries.values()):
        raise DataError("folds by query are not for sequential data, whose splits are in the order of time")
    splits, notes = draw_folds(collection, split, folds)
    tested = {query_id for of_fold in splits for query_id in of_fold["test"]}
    # in one order for all folds, which is that of their splits too
    every = tuple(query_id for query_id in collection.queries if query_id in tested)
    whole = _frozen(name, collection, {"test": every}, (), candidates, retriever, notes, progress)
    return [_reported(replace(whole, splits=of_fold), len(collection.documents)) for of_fold in splits]


def first_stage_lists(
    collection: Collection,
    query_ids: Sequence[str],
    train: Sequence[str],
    retriever: Retriever,
    plan: CandidatePlan,
    advance: Callable[[int], None],
) -> dict[str, list[str]]:
    """Query id → what the first stage finds of these queries under this plan, best first. `train`: what it may learn
    from."""
    _fit(plan.retriever, retriever, collection, train)
    lists = {}
    for query_id, answer in _answers(collection, query_ids, retriever, plan):
        lists[query_id] = trec_order(_candidates(collection, query_id, answer, plan))
        advance(1)
    return lists


def _frozen(
    name: str,
    collection: Collection,
    splits: Mapping[str, tuple[str, ...]],
    train: Sequence[str],
    candidates: CandidatePlan,
    retriever: Retriever,
    notes: Sequence[str],
    progress: Progress,
) -> Dataset:
    """Without report and fingerprint, which need the final splits. `train`: what a first stage may learn from."""
    scored = candidates.retriever not in GIVEN
    told = [] if scored else given_notes(collection, candidates)
    used = [query_id for query_ids in splits.values() for query_id in query_ids]
    equal = equal_queries(collection.queries[query_id] for query_id in used)
    lists: dict[str, tuple[str, ...]] = {}
    first_stage: dict[str, tuple[float, ...]] = {}
    with (
        unchanged((*held(collection.documents), *collection.queries.values()), f"retriever {candidates.retriever!r}"),
        progress.task(f"{name}: first stage {candidates.retriever}", len(used)) as advance,
    ):
        _fit(candidates.retriever, retriever, collection, train)
        for query_id, answer in _answers(collection, used, retriever, candidates):
            scores = _candidates(collection, query_id, answer, candidates)
            order = _order(scores, query_id, candidates)
            lists[query_id] = tuple(order)
            if scored:
                first_stage[query_id] = tuple(scores[id_] for id_ in order)
            advance(1)
    lost = sum(map(lost_in_32_bits, first_stage.values()))
    if lost:
        told.append(f"queries with first-stage scores that 32 bits cannot tell apart, tied as in trec_eval: {lost}")
    if candidates.order == "retriever":
        told.append(
            "candidates stand in the retriever's order: that a listwise model likes the first places counts for it"
        )
    documents, fewer = kept(collection, used, lists, candidates.seed)
    if candidates.drop_same_id:
        same = sum(query_id in collection.documents for query_id in used)
        what = "queries whose id is that of a document too, which is none of their candidates"
        told.append(f"{what}: {same} of {len(used)}")
    dataset = Dataset(
        name=name,
        documents=documents,
        queries={query_id: collection.queries[query_id] for query_id in used},
        qrels={query_id: dict(collection.qrels[query_id]) for query_id in used},
        splits=splits,
        candidates=lists,
        first_stage=first_stage,
        hard_negatives={q: tuple(n) for q, n in collection.hard_negatives.items() if n and q in lists},
        retriever=candidates.retriever,
        protocol=candidates.protocol,
        notes=(*collection.notes, *text_notes(collection), *judgement_notes(collection), *notes, *told, *fewer),
        fingerprint="",
        groups=united_groups(collection.groups, equal),
        facets={
            facet: {q: value for q, value in values.items() if q in lists}
            for facet, values in collection.facets.items()
        },
    )
    return replace(dataset, notes=(*dataset.notes, *copy_notes(dataset)))


def _reported(dataset: Dataset, documents: int) -> Dataset:
    """`documents`: of the corpus."""
    report = data_report(dataset, documents)
    notes = (*dataset.notes, *report_notes(report))
    return replace(dataset, report=report, notes=notes, fingerprint=dataset_fingerprint(dataset))


def dataset_fingerprint(dataset: Dataset) -> str:
    """SHA-256 over all that a reranker or a metric can see."""
    return streamed_fingerprint(
        {
            "documents": ([d.id, d.title, d.text, dict(d.metadata)] for d in dataset.documents.values()),
            "queries": [[q.id, q.text, [d.id for d in q.history]] for q in dataset.queries.values()],
            "qrels": dataset.qrels,
            "splits": dataset.splits,
            "candidates": dataset.candidates,
            "first_stage": dataset.first_stage,
            "hard_negatives": {q: [asdict(n) for n in rows] for q, rows in dataset.hard_negatives.items()},
            "protocol": dataset.protocol,
        }
    )


def learns(name: str, retriever: Retriever) -> bool:
    """
    Raises:
        PluginError: it does not say.
    """
    with plugin_code(f"retriever {name!r}: learns"):
        found: object = retriever.learns
    if not isinstance(found, bool):
        raise PluginError(f"retriever {name!r}: learns is {found!r}; it must be True or False")
    return found


def _fit(name: str, retriever: Retriever, collection: Collection, train: Sequence[str]) -> None:
    """On the documents, and on what may be learnt from: nothing of dev and test."""
    documents = collection.documents
    pairs = tuple(
        (collection.queries[q], tuple(id_ for id_, g in collection.qrels[q].items() if g > 0 and id_ in documents))
        for q in train
    )
    with plugin_code(f"retriever {name!r}: fit"):
        run = own_run(collection) if name in GIVEN else collection.run
        retriever.fit(Corpus(documents.values(), pairs, run))


def _answers(
    collection: Collection, query_ids: Sequence[str], retriever: Retriever, plan: CandidatePlan
) -> Iterator[tuple[str, dict[str, float]]]:
    """Query id → what the first stage found. Under protocol oracle the truth's score is wanted, wherever it stands;
    otherwise the best are enough, and those that the query's history holds are left out of them later."""
    who, documents = f"retriever {plan.retriever!r}", collection.documents
    queries = [collection.queries[query_id] for query_id in query_ids]
    if plan.protocol == "oracle" or not isinstance(retriever, Searches):
        for query in queries:
            with plugin_code(f"{who}: scores"):
                answer = checked_first_stage(retriever.scores(query), documents, who)
            yield query.id, answer
        return
    depth = plan.depth + plan.drop_same_id + max((len(query.history) for query in queries), default=0)
    with plugin_code(f"{who}: search"):
        found = iter(retriever.search(queries, depth))
    for query in queries:
        with plugin_code(f"{who}: search"):
            given: object = next(found, _NONE)
            if given is _NONE:
                raise PluginError(f"{who}: search gave fewer answers than there are queries")
            answer = checked_first_stage(given, documents, who)
        yield query.id, answer


def _candidates(
    collection: Collection, query_id: str, answer: Mapping[str, float], plan: CandidatePlan
) -> Mapping[str, float]:
    """Document id → first-stage score, for the documents that the query's rerankers will get."""
    query = collection.queries[query_id]
    met = {document.id for document in query.history} | ({query_id} if plan.drop_same_id else set())
    scores = {id_: value for id_, value in answer.items() if id_ not in met}
    chosen = _best(scores, plan.depth)
    if plan.protocol == "oracle":
        documents = collection.documents
        relevant = [
            id_
            for id_, grade in collection.qrels[query_id].items()
            # what cannot be read is missed here too
            if grade > 0 and id_ not in met and id_ in documents and not documents[id_].blank
        ]
        missing = [id_ for id_ in relevant if id_ not in set(chosen)]
        if missing and plan.order == "retriever":
            raise DataError(
                f"query {query_id!r}: protocol oracle puts {missing[0]!r} in, which would stand behind all that "
                f"{plan.retriever} found, and be known by that; set candidates.order: shuffled, or protocol: end-to-end"
            )
        others = [id_ for id_ in chosen if id_ not in set(relevant)]
        found = [id_ for id_ in relevant if id_ in set(chosen)]
        chosen = found + missing + others[: max(plan.depth - len(relevant), 0)]
    # a truth that the first stage did not find at all keeps the lowest score there is
    floor = min(scores.values(), default=0.0) - 1.0
    return {id_: scores.get(id_, floor) for id_ in chosen}


def _best(scores: Mapping[str, float], depth: int) -> list[str]:
    """The first `depth` of `trec_order`, without an order of all."""
    if len(scores) > depth:
        held = np.asarray(float32(scores.values()))
        floor = np.partition(held, -depth)[-depth]
        scores = {id_: score for (id_, score), enough in zip(scores.items(), held >= floor, strict=True) if enough}
    return trec_order(scores)[:depth]


def _order(scores: Mapping[str, float], query_id: str, plan: CandidatePlan) -> list[str]:
    """The candidates as every reranker is shown them."""
    if plan.order == "retriever":
        return trec_order(scores)
    order = sorted(scores)
    random.Random(f"{plan.seed} {query_id}").shuffle(order)
    return order
