"""Candidate plan `given`: a query's own candidates, without scores, and labelled by what they are."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rr.data import Collection
from rr.errors import DataError
from rr.training.negatives import hard_negatives
from rr.types import Dataset, Document, HardNegative, Query
from rr_bench.data.store import read_dataset, write_dataset
from rr_bench.data.view import shown
from rr_bench.registry import CandidatePlan, SplitPlan
from tests.preparing import prepare, prepare_folds, read

SPLIT = SplitPlan.model_validate({})


def own(count: int = 40, negatives: int = 4, **values: Any) -> Collection:
    """Queries with a positive and hard negatives of their own; ids that would tell which is which."""
    documents, queries, qrels, hard = {}, {}, {}, {}
    for n in range(count):
        queries[f"q{n}"] = Query(f"q{n}", f"câu {n}")
        names = [f"a{n:03}", *(f"z{n:03}.{k}" for k in range(negatives))]
        documents |= {name: Document(name, f"văn bản {name}") for name in names}
        qrels[f"q{n}"] = {names[0]: 1}
        hard[f"q{n}"] = [HardNegative(name) for name in names[1:]]
    return Collection(documents, queries, qrels, hard_negatives=hard, **values)


def plan(**values: Any) -> CandidatePlan:
    return CandidatePlan.model_validate({"retriever": "given", "protocol": "oracle", **values})


def every(dataset: Dataset) -> list[str]:
    return [query_id for query_ids in dataset.splits.values() for query_id in query_ids]


def test_candidates_are_what_the_source_names_and_no_more() -> None:
    dataset = prepare("n", own(), SPLIT, plan())
    for query_id in every(dataset):
        number = int(query_id[1:])
        assert sorted(dataset.candidates[query_id]) == [f"a{number:03}", *(f"z{number:03}.{k}" for k in range(4))]
    assert dataset.first_stage == {}
    assert dataset.recall_ceiling("test") == 1.0
    assert dataset.protocol == "oracle"
    assert all(request.first_stage is None for request in dataset.requests("test"))


def test_the_place_of_the_truth_tells_nothing() -> None:
    dataset = shown(prepare("n", own(count=600), SPLIT, plan()))
    places = Counter(dataset.candidates[q].index(*dataset.relevant(q)) for q in every(dataset))
    assert set(places) == set(range(5))
    assert min(places.values()) > 600 / 5 / 2
    ordered = Counter(sorted(dataset.candidates[q]).index(*dataset.relevant(q)) for q in every(dataset))
    assert min(ordered.values()) > 600 / 5 / 2, "nor does its id, by which ties are broken"
    again = shown(prepare("n", own(count=600), SPLIT, plan()))
    assert again.candidates == dataset.candidates


def test_a_cut_keeps_the_truth_and_the_hardest() -> None:
    dataset = prepare("n", own(negatives=30), SPLIT, plan(depth=3))
    for query_id in every(dataset):
        number = int(query_id[1:])
        assert sorted(dataset.candidates[query_id]) == [f"a{number:03}", f"z{number:03}.0", f"z{number:03}.1"]
    assert "queries with more candidates of their own than candidates.depth (3), cut: 40" in dataset.notes


def test_truth_that_is_there_by_construction_is_labelled_or_refused() -> None:
    with pytest.raises(DataError, match=r"the truth among them by construction; set candidates\.protocol: oracle"):
        prepare("n", own(), SPLIT, plan(protocol="end-to-end"))
    with pytest.raises(DataError, match=r"own candidates have no order; set candidates\.order: shuffled"):
        prepare("n", own(), SPLIT, plan(order="retriever"))


def test_positives_alone_are_no_candidates() -> None:
    with pytest.raises(DataError, match="no query brings a candidate besides its answers"):
        prepare("n", own(negatives=0), SPLIT, plan())
    mixed = own()
    mixed = Collection(mixed.documents, mixed.queries, mixed.qrels, hard_negatives={"q0": mixed.hard_negatives["q0"]})
    assert (
        "queries whose own candidates are relevant, all of them: 39 of 40" in prepare("n", mixed, SPLIT, plan()).notes
    )


def test_what_is_judged_irrelevant_is_a_candidate() -> None:
    source = own(negatives=0)
    qrels = {q: {**judged, "a000" if q != "q0" else "a001": 0} for q, judged in source.qrels.items()}
    dataset = prepare("n", Collection(source.documents, source.queries, qrels), SPLIT, plan())
    assert all(len(dataset.candidates[q]) == 2 for q in every(dataset))


def test_a_run_of_the_source_may_miss_the_truth() -> None:
    """As top1000.dev does: end-to-end is right, and no scores are shown, since there are none."""
    source = own()
    run = {q: {f"z{int(q[1:]):03}.{k}": 0.0 for k in range(3)} for q in source.queries}
    run["q0"]["a000"] = 0.0
    source = Collection(source.documents, source.queries, source.qrels, run=run)
    dataset = prepare("n", source, SPLIT, plan(protocol="end-to-end"))
    assert {q for q in every(dataset) if dataset.relevant(q) & {*dataset.candidates[q]}} == {"q0"}
    assert dataset.candidates["q1"] != ()
    assert dataset.first_stage == {}
    assert {request.first_stage for request in dataset.requests("test")} == {None}
    assert "first_stage_auc" not in dataset.report or not dataset.report["first_stage_auc"]


def test_it_is_kept_and_trained_on(tmp_path: Path) -> None:
    dataset = prepare("n", own(), SPLIT, plan())
    write_dataset(dataset, tmp_path / "kept")
    assert read_dataset(tmp_path / "kept") == dataset
    query_id = dataset.splits["train"][0]
    number = int(query_id[1:])
    assert [one.document_id for one in hard_negatives(dataset, query_id, 9)] == [f"z{number:03}.{k}" for k in range(4)]


def test_what_cannot_be_read_is_no_candidate() -> None:
    source = own()
    documents = {**source.documents, "a000": Document("a000", " "), "z001.0": Document("z001.0", "")}
    qrels = {**source.qrels, "q2": {"a002": 1, "gone": 1}}
    found = prepare(
        "n", Collection(documents, source.queries, qrels, hard_negatives=source.hard_negatives), SPLIT, plan()
    )
    there = {id_ for ids in found.candidates.values() for id_ in ids}
    assert there >= {"a001", "z001.1", "a002"}
    assert not there & {"a000", "z001.0", "gone"}


def test_the_name_may_be_written_in_full() -> None:
    dataset = prepare("n", own(), SPLIT, plan(retriever="rerank-registry/given"))
    assert dataset.candidates == prepare("n", own(), SPLIT, plan()).candidates
    assert dataset.first_stage == {}


def test_rental_brings_its_own(tmp_path: Path) -> None:
    rows = [
        {"query": f"phòng {n}", "pos": f"A{n}", "hard_neg": [{"text": f"B{n}", "type": ["price"], "weight": 2.0}] * 2}
        for n in range(20)
    ]
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    dataset = prepare("n", read("rental", rows=path), SPLIT, plan())
    texts = {q: {dataset.documents[id_].text for id_ in ids} for q, ids in dataset.candidates.items()}
    assert texts == {q: {f"A{int(q[1:]) - 1}", f"B{int(q[1:]) - 1}"} for q in texts}


def test_folds() -> None:
    folds = prepare_folds("n", own(), SPLIT, plan(), 4)
    assert sorted(query_id for fold in folds for query_id in fold.splits["test"]) == sorted(own().queries)
    assert all(fold.first_stage == {} for fold in folds)
