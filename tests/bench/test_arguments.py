"""The Python API with arguments of every type: right, or a TypeError that names the place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

import rr
from rr_bench.registry import load_registry

TEXTS = ("phòng rẻ", "phòng có gác lửng", "phòng rộng")


@pytest.fixture
def bm25(small_registry: Path) -> Any:
    return rr.load("bm25", registry=small_registry)


def ids(ranking: rr.Ranking) -> list[str]:
    return [item.document.id for item in ranking.items]


@pytest.mark.parametrize(
    "given",
    [
        list(TEXTS),
        TEXTS,
        iter(TEXTS),
        (text for text in TEXTS),
        map(str, TEXTS),
        dict.fromkeys(TEXTS).keys().__iter__(),
        [rr.Document(str(place), text) for place, text in enumerate(TEXTS)],
        [TEXTS[0], rr.Document("1", TEXTS[1]), TEXTS[2]],
        [{"text": text} for text in TEXTS],
        [TEXTS[0], {"text": TEXTS[1], "id": 1}, rr.Document("2", TEXTS[2])],
        [{"text": text, "title": None, "id": None, "metadata": None} for text in TEXTS],
        np.array(TEXTS),
        pandas.Series(TEXTS),
        pandas.DataFrame({"text": TEXTS, "price": [1, 2, 3]}).to_dict("records"),
    ],
)
def test_documents_in_every_form_that_has_an_order(bm25: Any, given: Any) -> None:
    assert ids(bm25.rerank("gác lửng", given)) == ["1", "2", "0"]


def test_no_documents_are_an_empty_ranking(bm25: Any) -> None:
    assert ids(bm25.rerank("gác", [])) == ids(bm25.rerank(rr.Query("q", "gác"), iter(()))) == []


@pytest.mark.parametrize(
    ("query", "documents", "words"),
    [
        ("q", "abc", "documents is one str; give a list"),
        ("q", b"abc", "documents is one bytes"),
        ("q", bytearray(b"abc"), "documents is one bytearray"),
        ("q", {"id": "a"}, "documents is dict"),
        ("q", {"a", "b"}, "documents is set"),
        ("q", {"a": 1}.keys(), "documents is dict_keys"),
        ("q", None, "documents is NoneType"),
        ("q", 7, "documents is int"),
        ("q", rr.Document("d", "a"), "documents is Document"),
        ("q", ["a", None], r"documents\[1\] is NoneType, not str, dict or rr.Document"),
        ("q", ["a", "b", 3], r"documents\[2\] is int"),
        ("q", [b"a"], r"documents\[0\] is bytes"),
        ("q", [{"id": "a", "body": "b"}], r"documents\[0\] has no 'text' but 'id', 'body'; give it one"),
        ("q", ["a", {}], r"documents\[1\] has no 'text' but no keys"),
        ("q", ["a", {"text": 3}], r"documents\[1\]\['text'\] is int, not str"),
        ("q", [{"text": None}], r"documents\[0\]\['text'\] is NoneType"),
        ("q", [{"text": "a", "title": ["b"]}], r"documents\[0\]\['title'\] is list"),
        ("q", [{"text": "a", "id": ["b"]}], r"documents\[0\]\['id'\] must be text or a whole number"),
        ("q", [{"text": "a", "id": True}], r"documents\[0\]\['id'\] must be"),
        ("q", [{"text": "a", "id": " "}], r"documents\[0\]\['id'\] is blank"),
        ("q", [{"text": "a", "metadata": "b"}], r"documents\[0\]\['metadata'\] is str, not a dict"),
        ("q", [{"text": "a", 5: "b"}], r"documents\[0\] has a key of type int, 5"),
        ("q", pandas.DataFrame({"text": ["a"]}), "documents is DataFrame, a table; give a column of it, or its rows"),
        ("q", [["a"]], r"documents\[0\] is list"),
        ("q", [rr.Document(5, "a")], r"documents\[0\].id is int, not str"),  # type: ignore[arg-type]
        (None, ["a"], "query is NoneType, not str or rr.Query"),
        (b"q", ["a"], "query is bytes"),
        (["q"], ["a"], "query is list"),
        (7, [], "query is int"),
    ],
)
def test_a_query_or_a_document_of_a_wrong_type(bm25: Any, query: Any, documents: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        bm25.rerank(query, documents)


def test_requests_of_a_wrong_type(bm25: Any) -> None:
    request = rr.Request(rr.Query("q", "gác"), (rr.Document("d", "gác"),))
    assert [ids(ranking) for ranking in bm25.rerank_all(one for one in [request])] == [["d"]]
    for given, words in (
        (request, "requests is Request; give a list"),
        ("q", "requests is one str"),
        (None, "requests is NoneType"),
        ([request, "q"], r"requests\[1\] is str, not rr.Request"),
    ):
        with pytest.raises(TypeError, match=words):
            bm25.rerank_all(given)


def test_a_registry_in_every_form(small_registry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small_registry.parent)
    for given in (small_registry, str(small_registry), small_registry.name, load_registry(small_registry)):
        assert rr.load("bm25", registry=given).name == "bm25"
        (result,) = rr.bench(["bm25"], registry=given).datasets
        assert not result.failure
    for call in (lambda given: rr.load("bm25", registry=given), lambda given: rr.bench(["bm25"], registry=given)):
        for wrong in ({}, {"version": 1}, [], 0, b"registry.yaml", False):
            with pytest.raises(TypeError, match=f"registry is {type(wrong).__name__}; give the path"):
                call(wrong)
        for missing in ("gone.yaml", Path("gone.yaml"), "", "."):
            with pytest.raises(rr.RegistryError, match="no such registry file"):
                call(missing)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda r: rr.load(None, registry=r), "name is NoneType"),
        (lambda r: rr.load(["bm25"], registry=r), "name is list"),
        (lambda r: rr.load("bm25", checkpoint=7, registry=r), "checkpoint is int, not str or Path"),
        (lambda r: rr.load("bm25", checkpoint=b"x", registry=r), "checkpoint is bytes"),
        (lambda r: rr.load("bm25", dataset=["rooms"], registry=r), "dataset is list, not str"),
        (lambda r: rr.load("bm25", profile=1, registry=r), "profile is int"),
        (lambda r: rr.load("bm25", plugins=[], registry=r), "plugins is list"),
        (lambda r: rr.bench("bm25", registry=r), "names is one str; give a list"),
        (lambda r: rr.bench(["bm25", None], registry=r), r"names\[1\] is NoneType, not str"),
        (lambda r: rr.bench({"bm25": 1}, registry=r), "names is dict"),
        (lambda r: rr.bench(7, registry=r), "names is int"),
        (lambda r: rr.bench(["bm25"], datasets="rooms", registry=r), "datasets is one str"),
        (lambda r: rr.bench(["bm25"], datasets=[Path("rooms")], registry=r), r"datasets\[0\] is \w*Path"),
        (lambda r: rr.bench(["bm25"], baseline=["random"], registry=r), "baseline is list"),
        (lambda r: rr.bench(["bm25"], profile=b"small", registry=r), "profile is bytes"),
        (lambda r: rr.bench(["bm25"], folds="2", registry=r), "folds is str, not int"),
        (lambda r: rr.bench(["bm25"], folds=2.0, registry=r), "folds is float"),
        (lambda r: rr.bench(["bm25"], plugins={}, registry=r), "plugins is dict"),
    ],
)
def test_an_argument_of_a_wrong_type(small_registry: Path, call: Callable[[Path], object], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        call(small_registry)


def test_names_may_come_from_an_iterator(small_registry: Path) -> None:
    result = rr.bench((name for name in ("first-stage", "bm25")), datasets=iter(["rooms"]), registry=small_registry)
    assert [[row.reranker for row in dataset.rows] for dataset in result.datasets] == [["first-stage", "bm25"]]
