"""What a program does with a loaded reranker: cuts, shows, awaits, shares among threads, judges."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rr
from rr.registry.plugins import Plugins, Registered, installed_plugins
from tests.conftest import Rr

TEXTS = ["phòng rẻ", "phòng có gác lửng", "phòng rộng"]
INSIDE: list[str] = []
"""The rerankers that are at work."""
TOGETHER: list[tuple[str, ...]] = []
"""Those that were, whenever one began."""
ASKED: list[str] = []
"""Queries, in the order in which they were worked out."""


class Slow:
    """Scores a document by its length, and takes its time; it keeps what it was asked in itself, as models do."""

    info = rr.ModelInfo("probability")

    def __init__(self, settings: rr.Settings, checkpoint: Path | None) -> None:
        self._documents: tuple[rr.Document, ...] = ()

    def score(self, requests: Sequence[rr.Request]) -> list[list[float]]:
        INSIDE.append(type(self).__name__)
        TOGETHER.append(tuple(INSIDE))
        found = []
        for request in requests:
            ASKED.append(request.query.text)
            self._documents = request.candidates
            time.sleep(0.02)
            found.append([len(document.text) / 100 for document in self._documents])
        INSIDE.remove(type(self).__name__)
        return found


class Heavy(Slow):
    info = rr.ModelInfo("probability", state="pretrained", parameters=1)


class Heavier(Heavy):
    pass


@pytest.fixture
def plugins() -> Plugins:
    return Plugins(
        [
            Registered(rr.Component(of.__name__.lower(), f"{__name__}:{of.__name__}", ""), "scorer", "t", "t", "1")
            for of in (Slow, Heavy, Heavier)
        ]
    )


@pytest.fixture
def loaded(small_registry: Path, plugins: Plugins) -> Any:
    with small_registry.open("a", encoding="utf-8") as file:
        file.writelines(f"  {name}: {{scorer: {name}}}\n" for name in ("slow", "heavy", "heavier"))
    for told in (INSIDE, TOGETHER, ASKED):
        told.clear()
    return lambda name: rr.load(name, registry=str(small_registry), plugins=plugins)


@pytest.fixture
def bm25(small_registry: Path) -> rr.NamedReranker:
    return rr.load("bm25", registry=str(small_registry))


@pytest.mark.parametrize(("top_n", "count"), [(1, 1), (2, 2), (3, 3), (30, 3), (None, 3), (np.int64(2), 2)])
def test_the_best_are_asked_for(bm25: rr.NamedReranker, top_n: Any, count: int) -> None:
    whole, cut = bm25.rerank("gác lửng", TEXTS), bm25.rerank("gác lửng", TEXTS, top_n=top_n)
    assert cut.items == whole.items[:count]
    assert len(cut) == count
    assert cut.diagnostics == whole.diagnostics
    request = rr.Request(rr.Query("q", "gác"), (rr.Document("d", "gác"), rr.Document("e", "b")))
    assert [len(one) for one in bm25.rerank_all([request, request], top_n=1)] == [1, 1]
    assert len(bm25.rerank("gác", [], top_n=top_n)) == 0


@pytest.mark.parametrize(
    ("top_n", "error", "words"),
    [
        (0, rr.RerankError, "top_n is 0; ask for 1 document or more, or leave it out for all"),
        (-1, rr.RerankError, "top_n is -1"),
        (2.0, TypeError, "top_n is float, not int"),
        ("2", TypeError, "top_n is str, not int"),
        (True, TypeError, "top_n is bool, not int"),
    ],
)
def test_a_number_that_cannot_be_asked_for(bm25: rr.NamedReranker, top_n: Any, error: Any, words: str) -> None:
    for call in (bm25.rerank, lambda *given, **named: asyncio.run(bm25.arerank(*given, **named))):
        with pytest.raises(error, match=words):
            call("gác", TEXTS, top_n=top_n)


def test_mappings_are_documents(bm25: rr.NamedReranker) -> None:
    given = [
        {"id": 7, "text": "gác lửng", "price": 3, "metadata": {"lang": "vi"}},
        {"text": "rộng", "title": "Phòng gác"},
        rr.Document("x", "phòng"),
    ]
    found = {item.document.id: item.document for item in bm25.rerank("gác", given)}
    assert sorted(found) == ["1", "7", "x"]
    assert found["7"].metadata == {"price": 3, "lang": "vi"}
    assert (found["1"].title, found["1"].text, found["1"].metadata) == ("Phòng gác", "rộng", {})
    with pytest.raises(rr.DataError, match="two candidates share an id"):
        bm25.rerank("gác", ["a", {"id": "0", "text": "b"}])
    with pytest.raises(rr.DataError, match=r"documents\[1\]: the text .* half of a surrogate pair"):
        bm25.rerank("gác", ["a", {"text": "\ud800"}])


def test_a_ranking_is_gone_through_and_shown(bm25: rr.NamedReranker, rr_command: Rr, small_registry: Path) -> None:
    documents = [{"id": "a", "text": "gác", "title": "Phòng"}, {"id": "b", "text": "rẻ", "price": 3}]
    ranking = bm25.rerank(rr.Query("q", "gác"), documents)
    assert [item.document.id for item in ranking] == ["a", "b"]
    assert len(ranking) == 2
    first, second = (item.score for item in ranking)
    told = {
        "id": "q",
        "query": "gác",
        "ranking": [
            {"rank": 1, "score": first, "id": "a", "text": "gác", "title": "Phòng"},
            {"rank": 2, "score": second, "id": "b", "text": "rẻ", "metadata": {"price": 3}},
        ],
    }
    assert ranking.to_dict() == json.loads(json.dumps(ranking.to_dict())) == told
    assert ranking.to_dict({"a": 0.75, "b": 0.5})["ranking"][1]["probability"] == 0.5
    line = json.dumps({"id": "q", "query": "gác", "documents": [*documents[:1], {**documents[1], "price": None}]})
    line = line.replace('"price": null', '"metadata": {"price": 3}')
    ended = rr_command("rerank", "bm25", "--input", "-", "--registry", small_registry, stdin=line + "\n")
    assert json.loads(ended.stdout) == told  # the one shape of a ranking


def test_a_ranking_as_a_table(bm25: rr.NamedReranker) -> None:
    ranking = bm25.rerank("gác", [{"id": "a", "text": "gác"}, {"id": "b", "text": "rẻ", "title": "t", "price": 3}])
    frame = ranking.to_pandas()
    assert frame.columns.tolist() == ["rank", "score", "id", "text", "title", "metadata"]
    assert frame[["rank", "id", "title", "metadata"]].values.tolist() == [[1, "a", "", {}], [2, "b", "t", {"price": 3}]]
    assert ranking.to_pandas({"a": 0.75, "b": 0.5})["probability"].tolist() == [0.75, 0.5]
    assert ranking.to_pandas().columns.tolist() == bm25.rerank("gác", []).to_pandas().columns.tolist()


def test_without_pandas_one_line_says_so() -> None:
    code = (
        "import sys; sys.modules['pandas'] = None\n"
        "import rr\n"
        "try: rr.Ranking(rr.Query('q', 'a'), ()).to_pandas()\n"
        "except rr.RerankError as error: print(error)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=60)
    assert ended.stdout == "to_pandas needs pandas, which is not installed; pip install pandas\n", ended.stderr


def test_rr_stays_cheap_to_import() -> None:
    code = "import rr, sys; print([n for n in ('numpy', 'pandas', 'pydantic', 'yaml', 'rr_bench') if n in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=60)
    assert ended.stdout == "[]\n", ended.stderr
    assert rr.__version__ == version("rerank-registry")


@pytest.mark.parametrize("name", ["slow", "heavy"])
def test_threads_share_a_reranker(loaded: Any, name: str) -> None:
    reranker = loaded(name)
    asked = [["x" * (thread + place + 1) for place in range(3)] for thread in range(16)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda texts: reranker.rerank("q", texts).scores, asked))
    assert found == [{str(place): len(texts[place]) / 100 for place in (2, 1, 0)} for texts in asked]
    assert {len(one) for one in TOGETHER} == {1}


def test_models_with_weights_take_turns_and_others_do_not_wait(loaded: Any) -> None:
    one, other, light = loaded("heavy"), loaded("heavier"), loaded("slow")
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda reranker: reranker.rerank("q", ["a"]), [one, other] * 6))
        assert {len(beside) for beside in TOGETHER} == {1}
        TOGETHER.clear()
        work = threads.submit(one.rerank_all, [rr.Request(rr.Query("q", "q"), (rr.Document("d", "a"),))] * 20)
        while not INSIDE:
            time.sleep(0.001)
        light.rerank("q", ["a"])
        assert ("Heavy", "Slow") in TOGETHER
        work.result()


def test_a_coroutine_awaits_and_the_loop_goes_on(loaded: Any) -> None:
    reranker = loaded("slow")

    async def main() -> int:
        ticks = 0
        waiting = [asyncio.create_task(reranker.arerank(f"q{n}", ["a", "bb"], top_n=1)) for n in range(10)]
        while not all(one.done() for one in waiting):
            await asyncio.sleep(0.001)
            ticks += 1
        found = [one.result() for one in waiting]
        assert [one.query.text for one in found] == ASKED == [f"q{n}" for n in range(10)]
        assert [[item.document.text for item in one] for one in found] == [["bb"]] * 10
        return ticks

    assert asyncio.run(main()) > 30  # in a fifth of a second of work


def test_what_is_cancelled_while_it_waits_is_not_worked_out(loaded: Any) -> None:
    reranker = loaded("slow")

    async def main() -> None:
        first, second, third = (asyncio.create_task(reranker.arerank(f"q{n}", ["a"])) for n in range(3))
        while not ASKED:
            await asyncio.sleep(0.001)
        second.cancel()
        first.cancel()  # which is at work: its answer is dropped
        assert (await third).query.text == "q2"
        for one in (first, second):
            with pytest.raises(asyncio.CancelledError):
                await one

    asyncio.run(main())
    assert ASKED == ["q0", "q2"]
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(reranker.arerank("late", ["a"]), 0.001))
    assert reranker.rerank("q", ["a"]).scores == {"0": 0.01}  # nothing holds the lock


def test_what_a_coroutine_raises(loaded: Any) -> None:
    with pytest.raises(TypeError, match=r"documents\[1\] is int"):
        asyncio.run(loaded("slow").arerank("q", ["a", 1]))
    with pytest.raises(rr.ScoringError):  # of a probability above 1
        asyncio.run(loaded("slow").arerank("q", ["a" * 200]))
    assert len(asyncio.run(loaded("slow").arerank("q", ["a" * 80, "b"], min_probability=0.5))) == 1


def test_probabilities_where_they_are_known(loaded: Any, bm25: rr.NamedReranker) -> None:
    slow = loaded("slow")
    ranking = slow.rerank("q", ["a", "bb"])
    assert slow.known_probabilities(ranking) == slow.probabilities(ranking) == {"1": 0.02, "0": 0.01}
    assert bm25.known_probabilities(bm25.rerank("gác", TEXTS)) == {}


def test_judging_by_name_is_what_a_bench_says(small_registry: Path) -> None:
    rows = rr.bench(["bm25", "random"], registry=small_registry).datasets[0].rows
    for row in rows:
        judged = rr.evaluate(row.reranker, "rooms", registry=str(small_registry))
        assert judged.name == row.reranker
        assert {name: list(values) for name, values in row.per_query.items()} == judged.per_query
        assert dict(row.metrics) == judged.metrics
    loaded = rr.load("bm25", registry=small_registry)
    dev = rr.evaluate(loaded, "rooms", split="dev", metrics=["MRR@10"], registry=small_registry)
    assert list(dev.metrics) == ["MRR@10"]
    assert not set(dev.queries) & set(rr.evaluate(loaded, "rooms", registry=small_registry).queries)


def test_judging_a_run_in_every_form(bm25: rr.NamedReranker, small_registry: Path, tmp_path: Path) -> None:
    qrels = {"q": {"b": 2}, "p": {"a": 1}}
    documents = (rr.Document("a", "phòng rẻ"), rr.Document("b", "gác lửng"))
    rankings = bm25.rerank_all([rr.Request(rr.Query(id_, "gác lửng"), documents) for id_ in qrels])
    run = {one.query.id: one.run for one in rankings}
    trec = "".join(f"{q} Q0 {d} 0 {score} t\n" for q, found in run.items() for d, score in found.items())
    (tmp_path / "run.trec").write_text(trec, encoding="utf-8")
    (tmp_path / "qrels.json").write_text(json.dumps(qrels), encoding="utf-8")
    for given in (rankings, iter(rankings), run, tmp_path / "run.trec", str(tmp_path / "run.trec")):
        for judgements in (qrels, str(tmp_path / "qrels.json")):
            again = iter(rankings) if not isinstance(given, list | dict | str | Path) else given
            judged = rr.evaluate(run=again, qrels=judgements, metrics=["MRR@10"])
            assert dict(zip(judged.queries, judged.per_query["MRR@10"], strict=True)) == {"q": 1.0, "p": 0.5}
    partly = rr.evaluate(run={"q": {"b": np.float32(1)}}, qrels=qrels, metrics=["MRR@10"])
    assert partly.metrics["MRR@10"].mean == 0.5
    assert "1 of 2 judged queries are not in the run" in partly.warnings[0]
    own = {f"q{n}": {f"d{n % 6}": 1.0} for n in range(12)}
    assert rr.evaluate(run=own, dataset="rooms", registry=small_registry).metrics["MRR@10"].mean == 1.0


@pytest.mark.parametrize(
    ("named", "error", "words"),
    [
        ({}, rr.RerankError, "give a reranker, or run="),
        ({"reranker": "bm25", "run": {}}, rr.RerankError, "one of them"),
        ({"reranker": "bm25"}, rr.RerankError, "give a data set, or qrels="),
        ({"reranker": "bm25", "qrels": {"q": {"d": 1}}}, rr.RerankError, "a reranker is judged on a data set"),
        ({"run": {"q": {"d": 1.0}}, "dataset": "rooms", "qrels": {}}, rr.RerankError, "one of them"),
        ({"run": {"q": {"d": 1.0}}, "dataset": "rooms"}, rr.RerankError, "none of its 1 queries is judged"),
        ({"run": {"q": {"d": 1.0}}, "qrels": {"q": {"d": 1}}, "checkpoint": "a"}, rr.RerankError, "checkpoint= goes"),
        ({"reranker": "bm26", "dataset": "rooms"}, rr.RerankError, "did you mean 'bm25'"),
        ({"reranker": "bm25", "dataset": "rooms", "split": "tset"}, rr.RerankError, "no split 'tset'; did you mean"),
        ({"reranker": "bm25", "dataset": "rooms", "metrics": ["nDGC@10"]}, rr.RerankError, "did you mean 'nDCG'"),
        ({"reranker": "bm25", "dataset": "rooms", "metrics": "nDCG@10"}, TypeError, "metrics is one str"),
        ({"reranker": 5, "dataset": "rooms"}, TypeError, "reranker is int, not str or NamedReranker"),
        ({"run": 5, "qrels": {"q": {"d": 1}}}, TypeError, "run is int; give a list of rankings"),
        ({"run": [5], "qrels": {"q": {"d": 1}}}, TypeError, r"run\[0\] is int, not rr.Ranking"),
        ({"run": {"q": ["d"]}, "qrels": {"q": {"d": 1}}}, TypeError, r"run\['q'\] is list, not"),
        ({"run": {1: {"d": 1}}, "qrels": {"q": {"d": 1}}}, TypeError, "run has the key 1, which is int"),
        ({"run": {"q": {"d": "1"}}, "qrels": {"q": {"d": 1}}}, TypeError, r"run\['q'\]\['d'\] is str, not float"),
        ({"run": {"q": {"d": float("nan")}}, "qrels": {"q": {"d": 1}}}, rr.DataError, "is nan, which is no score"),
        ({"run": {"q": {"d": 1.0}}, "qrels": {"q": {"d": 1.5}}}, TypeError, r"qrels\['q'\]\['d'\] is float, not int"),
        ({"run": {"q": {"d": 1.0}}, "qrels": {"q": {"d": 2**40}}}, rr.DataError, "which is no grade"),
        ({"run": {"q": {"d": 1.0}}, "qrels": {}}, rr.DataError, "qrels is empty"),
        ({"run": {"q": {"d": 1.0}}, "qrels": "gone.qrels"}, rr.DataError, "gone.qrels: no such file"),
        ({"run": "gone.trec", "qrels": {"q": {"d": 1}}}, rr.DataError, "gone.trec: no such file"),
    ],
)
def test_what_cannot_be_judged(small_registry: Path, named: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        rr.evaluate(registry=small_registry, **named)


def test_all_threads_end() -> None:
    """Those of what nobody holds any more."""
    installed_plugins()
    for _ in range(100):
        left = [one.name for one in threading.enumerate() if one.name.startswith(("rr slow", "rr heavy"))]
        if not left:
            return
        time.sleep(0.05)
    raise AssertionError(left)
