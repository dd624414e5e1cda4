"""Each answer is kept as it comes: what died in the middle asks only for what is missing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import rr
from rr import Document, Query, Request, ScoringError
from rr.files import home
from rr_bench.evaluate.results import Row
from rr_bench.keeping import anew, nothing_kept
from tests.conftest import INTERRUPTIBLE, Rr
from tests.plugins.http.api import SERVED, Api, Handler, answer, serving, status
from tests.plugins.http.test_shapes import asked, requests, scorer


def files() -> list[Path]:
    return sorted((home() / "http").rglob("*.json"))


def test_what_is_kept_is_not_asked_for_again(api: Api) -> None:
    api.script.append(status(500))
    first = asked(api, 4)
    assert len(files()) == 4
    assert asked(api, 4) == first, "with what it took to answer it"
    assert len(api.seen) == 5
    asked(api, 5)
    assert len(api.seen) == 6


def test_79_answers_are_not_lost_to_one_429(cohere: Api) -> None:
    cohere.script.extend([answer] * 79)
    cohere.always = status(429)
    with pytest.raises(ScoringError, match="status 429"):
        asked(cohere, 80, concurrency=4, retries=1)
    assert len(files()) == 79
    cohere.always, before = answer, len(cohere.seen)
    found = asked(cohere, 80)
    assert len(cohere.seen) == before + 1
    assert len(found) == 80


def test_those_under_way_are_kept_when_one_fails(cohere: Api) -> None:
    def step(handler: Handler, body: Mapping[str, Any]) -> None:
        if body["query"].endswith("number 0"):
            handler.give(404, {})
        else:
            time.sleep(0.3)
            answer(handler, body)

    cohere.always = step
    with pytest.raises(ScoringError, match=r"query 'q0'.*404"):
        asked(cohere, 4, concurrency=4)
    assert len(files()) == len(cohere.seen) - 1


def test_parts_of_a_query_are_kept_too(cohere: Api) -> None:
    cohere.script.extend([answer, answer, status(404)])
    with pytest.raises(ScoringError):
        asked(cohere, candidates=7, max_documents=3, concurrency=1)
    asked(cohere, candidates=7, max_documents=3, concurrency=1)
    assert len(cohere.seen) == 4


def test_a_wrong_answer_is_not_kept(cohere: Api) -> None:
    cohere.script.append(lambda handler, body: handler.give(200, {"results": []}))
    with pytest.raises(ScoringError):
        asked(cohere)
    assert not files()
    assert asked(cohere)


@pytest.mark.parametrize(
    "other",
    [
        {"release": "2"},
        {"model": "rerank-2"},
        {"shape": "cohere-v1"},
        {"max_characters": 5},
        {"body": {"max_tokens_per_doc": 9}},
    ],
)
def test_whatever_decides_an_answer_is_in_its_name(cohere: Api, other: dict[str, Any]) -> None:
    asked(cohere)
    asked(cohere, **other)
    assert len(cohere.seen) == 2


@pytest.mark.parametrize(
    "other", [{"concurrency": 1}, {"timeout": 5}, {"retries": 1}, {"longest_wait": 0.1}, {"max_documents": 100}]
)
def test_what_decides_nothing_is_not(cohere: Api, other: dict[str, Any]) -> None:
    asked(cohere)
    asked(cohere, **other)
    assert len(cohere.seen) == 1


def test_texts_and_their_order_are_in_its_name_and_ids_are_not(cohere: Api) -> None:
    one, two = Document("a", "red"), Document("b", "blue")
    scorer_ = scorer(cohere)
    scorer_.score([Request(Query("q", "red?"), (one, two))])
    scorer_.score([Request(Query("other", "red?"), (Document("x", "red"), Document("y", "blue")))])
    assert len(cohere.seen) == 1
    scorer_.score([Request(Query("q", "red?"), (two, one))])
    scorer_.score([Request(Query("q", "red"), (one, two))])
    assert len(cohere.seen) == 3


def test_queries_that_ask_the_same_are_asked_once(cohere: Api) -> None:
    (request,) = requests()
    twice = [request, Request(Query("again", request.query.text), request.candidates)]
    first, second = scorer(cohere).score(twice)
    assert first == second
    assert len(cohere.seen) == 1


def test_another_model_behind_tei_is_asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving("tei") as api:
        asked(api)
        monkeypatch.setitem(SERVED, "model_sha", "another")
        asked(api)
        assert len(api.seen) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_text(path.read_text().replace('"retries": 0', '"retries": 1')),
        lambda path: path.write_bytes(path.read_bytes()[:40]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"[" * 100_000),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: (path.rename(path.with_name("kept")), path.symlink_to(path.with_name("kept"))),
    ],
    ids=["another figure", "cut", "empty", "nested", "a folder", "a link"],
)
def test_damage_is_named_and_made_anew(cohere: Api, damage: Any, caplog: pytest.LogCaptureFixture) -> None:
    before = asked(cohere)
    (path,) = files()
    damage(path)
    assert asked(cohere) == before
    assert len(cohere.seen) == 2
    assert "is damaged" in caplog.text
    assert json.loads(path.read_bytes())["retries"] == 0


def test_an_answer_under_another_name_is_not_taken(cohere: Api, caplog: pytest.LogCaptureFixture) -> None:
    asked(cohere, 2)
    one, other = files()
    one.write_bytes(other.read_bytes())
    asked(cohere, 2)
    assert len(cohere.seen) == 3
    assert "it holds something else" in caplog.text


def test_while_it_is_timed_nothing_is_kept(cohere: Api) -> None:
    asked(cohere)
    with nothing_kept():
        asked(cohere)
        asked(cohere)
        assert not files()
    assert len(cohere.seen) == 3


def test_what_is_made_anew_is_asked_once(cohere: Api) -> None:
    asked(cohere)
    with anew():
        asked(cohere)
        asked(cohere)
    assert len(cohere.seen) == 2


def test_what_is_kept_holds_no_text(cohere: Api) -> None:
    asked(cohere)
    assert "piano" not in files()[0].read_text()


# --- in a bench


def bench_of(path: Path, api: Api, **settings: Any) -> Path:
    """The small registry with an entry that asks the API."""
    given = api.settings(retries=0, concurrency=2, **settings)
    entry = {"scorer": "http", "settings": given, "price": {"per_call": 0.002}}
    path.write_text(path.read_text(encoding="utf-8") + f"  remote: {json.dumps(entry)}\n", encoding="utf-8")
    assert "remote" in yaml.safe_load(path.read_text(encoding="utf-8"))["rerankers"]
    return path


def row(registry: Path) -> Row:
    (found,) = [one for one in rr.bench(["remote"], registry=registry).datasets[0].rows if one.reranker == "remote"]
    return found


def test_a_bench_that_died_asks_only_for_what_is_missing(small_registry: Path, cohere: Api) -> None:
    registry = bench_of(small_registry, cohere)
    cohere.script.extend([answer, answer])
    cohere.always = status(429)
    failed = row(registry)
    assert "status 429" in str(failed.failure)
    assert len(files()) == 2
    cohere.always = answer
    cohere.seen.clear()
    assert not row(registry).failure
    resumed = len(cohere.seen)
    cohere.seen.clear()
    assert not row(registry).failure
    assert not cohere.seen, "a second bench asks nothing"
    text = registry.read_text(encoding="utf-8")
    registry.write_text(text.replace('"retries": 0', '"retries": 0, "release": "2"'), encoding="utf-8")
    assert not row(registry).failure
    assert resumed == len(cohere.seen) - 2, (
        "of what a new one asks: each query, one in two halves, those that are timed"
    )


def test_the_table_has_what_it_cost(small_registry: Path) -> None:
    with serving("cohere-v2") as api:
        found = row(bench_of(small_registry, api, max_documents=2))
        assert found.diagnostics["requests"] == 3  # of six rooms
        assert found.diagnostics["billed_calls"] == 3
        assert found.diagnostics["retries"] == 0
        assert found.dollars == pytest.approx(1000 * 3 * 0.002)


def test_tokens_that_the_api_tells_are_priced(small_registry: Path) -> None:
    with serving("voyage") as api:
        registry = bench_of(small_registry, api)
        registry.write_text(registry.read_text().replace('"per_call": 0.002', '"per_token": 0.05'))
        found = row(registry)
        assert found.diagnostics["tokens"] == 7
        assert found.dollars == pytest.approx(1000 * 7 * 0.05 / 1e6)
        assert not any("estimated" in note for note in found.notes)


def test_the_command_benches_it(small_registry: Path, api: Api, rr_command: Rr) -> None:
    ended = rr_command("bench", "remote", "--registry", bench_of(small_registry, api), "--out", "out")
    assert ended.returncode == 0, ended.stderr
    assert "remote" in ended.stdout


def test_ctrl_c_keeps_what_is_answered(small_registry: Path, cohere: Api, tmp_path: Path) -> None:
    registry = bench_of(small_registry, cohere, timeout=60)

    def hangs(handler: Handler, body: Mapping[str, Any]) -> None:
        time.sleep(30)

    cohere.script.extend([answer, answer])
    cohere.always = hangs
    command = [sys.executable, "-c", INTERRUPTIBLE, "bench", "remote", "--registry", str(registry)]
    process = subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while (len(cohere.seen) < 4 or len(files()) < 2) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(files()) == 2
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    _, error = process.communicate(timeout=20)
    assert time.monotonic() - started < 10, "nobody waits for the calls under way"
    assert process.returncode == 130, error
    assert "Traceback" not in error
    cohere.always = answer
    cohere.seen.clear()
    assert not row(registry).failure
