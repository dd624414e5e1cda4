"""Candidate plan `given`: a query's candidates are those that its own source names for it, and no scores are needed."""

from __future__ import annotations

from rr.data.collection import Collection
from rr.errors import DataError
from rr.registry.plugins import OURS
from rr.types import Run
from rr_bench.registry import CandidatePlan

GIVEN = ("given", f"{OURS}/given")
"""As a plan names it."""


def own_run(collection: Collection) -> Run:
    """Each query's own candidates: those of the run that the source has, or else all that it judges and its hard
    negatives, of what can be read. The numbers only keep their order; nobody is shown them."""
    if collection.run:
        return collection.run
    own: dict[str, dict[str, float]] = {}
    for query_id, judged in collection.qrels.items():
        negatives = (one.document_id for one in collection.hard_negatives.get(query_id, ()))
        there = (id_ for id_ in dict.fromkeys((*judged, *negatives)) if id_ in collection.documents)
        read = (id_ for id_ in there if not collection.documents[id_].blank)
        own[query_id] = {id_: float(-place) for place, id_ in enumerate(read)}
    return own


def given_notes(collection: Collection, plan: CandidatePlan) -> list[str]:
    """What a reader of the table must know of own candidates.

    Raises:
        DataError: an order is asked for, which they do not have; no query brings a candidate besides its answers; or
            the truth is among them by construction, and the plan is not labelled so.
    """
    if plan.order != "shuffled":
        raise DataError("own candidates have no order; set candidates.order: shuffled")
    run, notes = own_run(collection), []
    if not collection.run:
        if plan.protocol != "oracle":
            raise DataError(
                "each query's own candidates are what it judges and its hard negatives, the truth among them by "
                "construction; set candidates.protocol: oracle, or candidates.retriever: bm25"
            )
        alone = sum(all(collection.qrels[q].get(id_, 0) > 0 for id_ in own) for q, own in run.items())
        if alone == len(run):
            raise DataError(
                "no query brings a candidate besides its answers, so that nothing can be ranked wrongly; "
                "set candidates.retriever: bm25"
            )
        if alone:
            notes.append(f"queries whose own candidates are relevant, all of them: {alone} of {len(run)}")
    if cut := sum(len(own) > plan.depth for own in run.values()):
        notes.append(f"queries with more candidates of their own than candidates.depth ({plan.depth}), cut: {cut}")
    return notes
