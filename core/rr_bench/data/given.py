"""Candidate plan `given`: a query's candidates are those that its own source names for it, and no scores are needed."""

from __future__ import annotations

from dataclasses import replace

from rr.data.collection import Collection
from rr.errors import DataError
from rr.types import Run
from rr_bench.registry import CandidatePlan

GIVEN = "given"
"""As a plan names it."""


def with_own_candidates(collection: Collection, plan: CandidatePlan) -> Collection:
    """The collection with a run that holds each query's own candidates: those of the run that it has, or else all that
    it judges and its hard negatives, in their order. No score of it is shown to anyone.

    Raises:
        DataError: an order is asked for, which they do not have; no query brings a candidate besides its answers; or
            the truth is among them by construction, and the plan is not labelled so.
    """
    if plan.order != "shuffled":
        raise DataError("own candidates have no order; set candidates.order: shuffled")
    run = collection.run or _named(collection)
    notes = []
    if not collection.run:
        if plan.protocol != "oracle":
            raise DataError(
                "each query's own candidates are what it judges and its hard negatives, the truth among them by "
                "construction; set candidates.protocol: oracle, or candidates.retriever: bm25"
            )
        alone = [q for q, own in run.items() if all(collection.qrels.get(q, {}).get(id_, 0) > 0 for id_ in own)]
        if len(alone) == len(run):
            raise DataError(
                "no query brings a candidate besides its answers, so that nothing can be ranked wrongly; "
                "set candidates.retriever: bm25"
            )
        if alone:
            notes.append(f"queries whose own candidates are relevant, all of them: {len(alone)} of {len(run)}")
    cut = sum(len(own) > plan.depth for own in run.values())
    if cut:
        notes.append(f"queries with more candidates of their own than candidates.depth ({plan.depth}), cut: {cut}")
    return replace(collection, run=run, notes=(*collection.notes, *notes))


def _named(collection: Collection) -> Run:
    """Query → what it judges and its hard negatives, of what can be read; the numbers only keep their order."""
    own: dict[str, dict[str, float]] = {}
    for query_id, judged in collection.qrels.items():
        negatives = (one.document_id for one in collection.hard_negatives.get(query_id, ()))
        there = (id_ for id_ in dict.fromkeys((*judged, *negatives)) if id_ in collection.documents)
        own[query_id] = {id_: float(-place) for place, id_ in enumerate(there)}
    return own
