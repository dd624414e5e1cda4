"""What plugins are shown tells no answer, and what they do to it reaches nobody else."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import rr
from rr import Component, Dataset, Document, ModelInfo, Query, Request, Settings, TrainingEvent
from rr.data.collection import Collection
from rr.files import home
from rr.measures import evaluate, metric
from rr.registry.plugins import Plugins, Registered, installed_plugins
from rr.rerank.sort import Sort
from rr.training.quality import ranking_quality
from rr.types import ReadOnly, read_only
from rr_bench.data.store import read_dataset, write_dataset
from rr_bench.data.view import shown, without_test
from rr_bench.evaluate.bench import BenchResult
from rr_bench.registry import CandidatePlan, SplitPlan
from tests.preparing import prepare

QUERIES = 400


def telling(protocol: str = "oracle") -> Dataset:
    """Everything but the texts, which are equal, tells which document is relevant: its id, its metadata, its place in
    the source, and a first stage that finds all others."""
    documents = {
        f"d{n:03}": Document(f"d{n:03}", "the same", metadata={"for": [f"q{n:03}"], "n": n}) for n in range(QUERIES)
    }
    queries = {f"q{n:03}": Query(f"q{n:03}", "the same") for n in range(QUERIES)}
    run = {q: {f"d{(n + step) % QUERIES:03}": 1.0 + step for step in range(1, 20)} for n, q in enumerate(queries)}
    collection = Collection(
        documents, queries, {q: {f"d{n:03}": 1} for n, q in enumerate(queries)}, splits={"test": list(queries)}, run=run
    )
    plan = CandidatePlan(retriever="run", depth=20, protocol=protocol)  # type: ignore[arg-type]
    return prepare("telling", collection, SplitPlan.model_validate({}), plan)


def number(text: str) -> int:
    return int("".join(filter(str.isdigit, text)) or 0)


EXPLOITS: dict[str, Callable[[Request, int, Document], float]] = {
    "constant": lambda request, place, document: 0.0,
    "first stage, reversed": lambda request, place, document: -(request.first_stage or [0.0] * 99)[place],
    "first stage": lambda request, place, document: (request.first_stage or [0.0] * 99)[place],
    "place": lambda request, place, document: -place,
    "last place": lambda request, place, document: place,
    "id": lambda request, place, document: -number(document.id),
    "id, reversed": lambda request, place, document: number(document.id),
    "the query's id": lambda request, place, document: -abs(number(document.id) - number(request.query.id)),
    "metadata": lambda request, place, document: float(request.query.id in str(dict(document.metadata))),
    "amount of metadata": lambda request, place, document: float(len(document.metadata)),
}


class Exploiting:
    info = ModelInfo("rank", listwise=True)

    def __init__(self, exploit: Callable[[Request, int, Document], float]) -> None:
        self._exploit = exploit

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        return [[self._exploit(r, place, d) for place, d in enumerate(r.candidates)] for r in requests]


@pytest.mark.parametrize("exploit", EXPLOITS)
def test_under_oracle_what_is_no_text_tells_nothing(exploit: str) -> None:
    view = shown(telling())
    rankings = Sort(Exploiting(EXPLOITS[exploit])).rerank(view.requests("test"))
    run = {ranking.query.id: ranking.run for ranking in rankings}
    assert [len(set(found) & view.relevant(query_id)) for query_id, found in run.items()] == [1] * QUERIES
    values = evaluate(run, view.qrels, view.splits["test"], metric("MRR"))
    # 20 candidates, the truth at a uniformly random rank: mean .18, standard error .011 of 400 queries
    assert sum(values) / len(values) == pytest.approx(0.18, abs=0.045)


def test_end_to_end_everything_is_shown_as_it_is() -> None:
    dataset = telling("end-to-end")
    view = shown(dataset)
    assert view is dataset
    assert view.requests("test")[0].first_stage == dataset.first_stage["q000"]


def test_under_oracle_documents_have_one_name_for_all_and_histories_too(tmp_path: Path) -> None:
    films = {f"f{n}": Document(f"f{n}", f"film {n}", f"title {n}", {"year": 1990 + n}) for n in range(30)}
    queries = {f"u{n}": Query(f"u{n}", "next", (films[f"f{n}"], films[f"f{n + 1}"])) for n in range(20)}
    collection = Collection(films, queries, {q: {f"f{n + 2}": 1} for n, q in enumerate(queries)})
    plan = CandidatePlan(retriever="popularity", depth=8, protocol="oracle")
    dataset = prepare("films", collection, SplitPlan(dev=0.2, test=0.2), plan)
    view = shown(dataset)
    assert sorted(document.content for document in view.documents.values()) == sorted(d.content for d in films.values())
    assert not any(document.metadata for document in view.documents.values())
    for id_, query in view.queries.items():
        assert [item.content for item in query.history] == [item.content for item in dataset.queries[id_].history]
        assert query.history[0] is view.documents[query.history[0].id]
        assert [view.documents[id_].content for id_ in view.candidates[query.id]] == [
            films[id_].content for id_ in dataset.candidates[query.id]
        ]
        assert [view.documents[id_].content for id_ in view.relevant(query.id)] == [
            films[id_].content for id_ in dataset.relevant(query.id)
        ]
    write_dataset(dataset, tmp_path / "kept")
    assert shown(read_dataset(tmp_path / "kept")) == view


class ByLength:
    info = ModelInfo("logit")

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        return [[float(len(d.text)) for d in r.candidates] for r in requests]


def test_selection_on_dev_is_the_same_on_what_is_shown() -> None:
    texts = {f"d{n}": Document(f"d{n}", "x" * (1 + (7 * n) % 31)) for n in range(31)}
    queries = {f"q{n}": Query(f"q{n}", f"{n}") for n in range(31)}
    run = {q: {f"d{(n + step) % 31}": float(step) for step in range(9)} for n, q in enumerate(queries)}
    collection = Collection(texts, queries, {q: {f"d{n}": 1} for n, q in enumerate(queries)}, run=run)
    plan = CandidatePlan(retriever="run", depth=9, protocol="oracle")
    dataset = prepare("lengths", collection, SplitPlan(dev=0.3, test=0.3), plan)
    view = without_test(shown(dataset))
    assert ranking_quality(ByLength(), view) == pytest.approx(ranking_quality(ByLength(), dataset))


def test_trainers_are_not_given_the_test_split(learned: Dataset) -> None:
    given = without_test(learned)
    assert given.splits["test"] == ()
    assert given.splits["train"] == learned.splits["train"]
    for part in (given.queries, given.qrels, given.candidates, given.first_stage):
        assert set(part) == {*learned.splits["train"], *learned.splits["dev"]}
    assert given.documents == learned.documents
    assert given.fingerprint == learned.fingerprint


@pytest.fixture
def learned() -> Dataset:
    return replace(
        telling("end-to-end"),
        splits={"train": ("q001", "q002"), "dev": ("q003",), "test": ("q004", "q005")},
        hard_negatives={"q004": (rr.HardNegative("d001"),)},
        groups={"q004": "a", "q001": "b"},
    )


# read-only


def test_everything_in_a_data_set_is_read_only(learned: Dataset) -> None:
    document = learned.documents["d001"]
    changes: list[Callable[[], Any]] = [
        lambda: learned.qrels["q001"].__setitem__("d9", 1),  # type: ignore[attr-defined]
        lambda: learned.qrels.pop("q001"),  # type: ignore[attr-defined]
        lambda: learned.documents.update({"x": document}),  # type: ignore[attr-defined]
        lambda: learned.splits["train"].append("q004"),  # type: ignore[attr-defined]
        lambda: learned.candidates.clear(),  # type: ignore[attr-defined]
        lambda: document.metadata.__setitem__("n", 2),  # type: ignore[attr-defined]
        lambda: document.metadata["for"].append("q9"),  # type: ignore[attr-defined]
        lambda: learned.queries.__delitem__("q001"),  # type: ignore[attr-defined]
        lambda: learned.hard_negatives.setdefault("q001", ()),  # type: ignore[attr-defined]
        lambda: learned.groups.popitem(),  # type: ignore[attr-defined]
        lambda: setattr(document, "text", "other"),
        lambda: setattr(learned, "qrels", {}),
    ]
    before = pickle.dumps(learned)
    for change in changes:
        with pytest.raises((TypeError, AttributeError)):
            change()
    assert pickle.dumps(learned) == before


def test_what_is_read_only_is_copied_pickled_and_written_like_a_dictionary() -> None:
    value = read_only({"a": [1, {"b": {2}}], "c": {"d": None}})
    assert value == {"a": (1, {"b": frozenset({2})}), "c": {"d": None}}
    assert json.loads(json.dumps(value["c"])) == {"d": None}
    for twin in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert twin == value
        assert isinstance(twin, ReadOnly)
        with pytest.raises(TypeError, match="read-only"):
            twin["x"] = 1
    with pytest.raises(TypeError, match="read-only"):
        value |= {"x": 1}
    assert dict(value) | {"x": 1} == {**value, "x": 1}


# what a plugin does to its data in spite of that


class Meddling:
    """Scores by length, after it has done something to what it was given."""

    info = ModelInfo("logit")
    what: Callable[[Sequence[Request]], object]

    def __init__(self, settings: Settings, checkpoint: Path | None = None) -> None: ...

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        type(self).what(requests)
        return [[float(len(d.content)) for d in r.candidates] for r in requests]


class MeddlingTrainer:
    what: Callable[[Dataset], object]

    def __init__(self, settings: Settings, scorer_settings: Settings) -> None: ...

    def train(self, dataset: Dataset, out: Path, on_event: Callable[[TrainingEvent], None]) -> None:
        type(self).what(dataset)
        on_event(TrainingEvent(1, 1, loss=1.0))
        (out / "weights").write_text("w")


def benched(registry: Path, extra: str) -> BenchResult:
    path = registry.with_name("meddling.yaml")
    path.write_text(registry.read_text(encoding="utf-8") + extra, encoding="utf-8")
    ours = [
        Registered(Component("meddling", f"{__name__}:Meddling", ""), "scorer", "toy", "toy", "1"),
        Registered(Component("meddling", f"{__name__}:MeddlingTrainer", ""), "trainer", "toy", "toy", "1"),
    ]
    names = ["meddling", "bm25", "random", "first-stage"] if extra else ["bm25", "random", "first-stage"]
    return rr.bench(names, registry=path, plugins=Plugins([*installed_plugins().components, *ours]))


def rewrite(one: object, name: str, value: object) -> None:
    object.__setattr__(one, name, value)


MEDDLING: dict[str, Callable[[Sequence[Request]], object]] = {
    "a document's text": lambda rs: rewrite(rs[0].candidates[0], "text", "phòng"),
    "every title": lambda rs: [rewrite(d, "title", "phòng") for r in rs for d in r.candidates],
    "a query": lambda rs: rewrite(rs[0].query, "text", "other"),
    "a document's id": lambda rs: rewrite(rs[0].candidates[0], "id", "d99"),
    "the candidates": lambda rs: rewrite(rs[0], "candidates", rs[0].candidates[:1]),
    "the first stage": lambda rs: rewrite(rs[0], "first_stage", None),
    "metadata": lambda rs: rewrite(rs[0].candidates[0], "metadata", {"a": 1}),
}


@pytest.mark.parametrize("what", MEDDLING)
def test_who_changes_what_it_is_shown_has_failed_and_nobody_else_notices(
    what: str, small_registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Meddling, "what", staticmethod(MEDDLING[what]), raising=False)
    alone = benched(small_registry, "").datasets[0]
    found = benched(small_registry, "  meddling: {scorer: meddling}\n").datasets[0]
    assert "changed data that it was only shown" in found.rows[-1].failure
    assert [row.per_query for row in found.rows[:-1]] == [row.per_query for row in alone.rows]
    assert benched(small_registry, "").datasets[0].fingerprint == alone.fingerprint
    assert not list((home() / "scores").glob("**/*meddling*"))


TRAINING: dict[str, Callable[[Dataset], object]] = {
    "the judgements": lambda data: rewrite(data, "qrels", {}),
    "a judgement": lambda data: dict.__setitem__(data.qrels[data.splits["train"][0]], "d0", 9),  # type: ignore[arg-type]
    "a document": lambda data: rewrite(data.documents["d0"], "text", "other"),
    "a query": lambda data: rewrite(data.queries[data.splits["dev"][0]], "text", "other"),
}


@pytest.mark.parametrize("what", TRAINING)
def test_a_trainer_that_changes_its_data_leaves_the_evaluators_alone(
    what: str, small_registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Meddling, "what", staticmethod(lambda requests: None), raising=False)
    monkeypatch.setattr(MeddlingTrainer, "what", staticmethod(TRAINING[what]), raising=False)
    alone = benched(small_registry, "").datasets[0]
    found = benched(small_registry, "  meddling: {scorer: meddling, trainer: meddling}\n").datasets[0]
    assert "changed data that it was only shown" in found.rows[-1].failure
    assert not list((home() / "checkpoints").glob("[!.]*"))
    assert [row.per_query for row in found.rows[:-1]] == [row.per_query for row in alone.rows]


# the row of a first stage that is not shown


def test_under_oracle_the_first_stage_is_skipped_and_differences_are_from_random(small_registry: Path) -> None:
    text = small_registry.read_text(encoding="utf-8")
    small_registry.write_text(
        text.replace("reader: jsonl", "reader: jsonl\n        candidates: {protocol: oracle, depth: 5}"), "utf-8"
    )
    (data,) = rr.bench(["first-stage", "random", "bm25"], registry=small_registry).datasets
    named = {row.reranker: row for row in data.rows}
    first, chance, bm25 = (named[name] for name in ("first-stage", "random", "bm25"))
    assert data.rows[-1] is first
    assert "protocol oracle shows none" in first.skipped
    assert (first.metrics, first.per_query, first.failure) == ({}, {}, "")
    assert data.baseline == "random"
    assert chance.difference is None
    assert bm25.difference is not None
    (asked,) = rr.bench(["first-stage", "random", "bm25"], baseline="bm25", registry=small_registry).datasets
    assert asked.baseline == "bm25"
