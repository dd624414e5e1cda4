"""Pairs that are used again: as few are scored as can be, and the answers are those of a run without the store."""

from __future__ import annotations

import itertools
import json
import logging
import math
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rr
from rr.files import home
from rr.protocols import ModelInfo
from rr.registry.plugins import installed_plugins
from rr.rerank import compose
from rr.types import Document, Query, Request, Scores
from rr_bench.data.load import load_dataset
from rr_bench.evaluate.company import same_in_company
from rr_bench.evaluate.pairs import Pairs
from rr_bench.evaluate.store import NOT_APART, Scored, score
from rr_bench.keeping import anew
from rr_bench.loading import load_reranker
from rr_bench.registry import load_registry
from rr_bench.resolve import resolve

_numbers = itertools.count()


class Counting:
    """A scorer that looks at one document at a time, as far as `info` says so, and counts what it is asked. A text
    with `long` in it is truncated."""

    def __init__(self, info: ModelInfo | None = None, company: float = 0.0, size: bool = False) -> None:
        self.info = info or ModelInfo("logit")
        self.company, self.size = company, size
        self.loads = 0
        self.asked: list[tuple[str, str]] = []

    def score(self, requests: Sequence[Request]) -> list[Scores]:
        self.asked += [(request.query.text, document.text) for request in requests for document in request.candidates]
        return [self._one(request) for request in requests]

    def _one(self, request: Request) -> Scores:
        values = tuple(
            of(request.query, document) + self.company * len(request.candidates) for document in request.candidates
        )
        long = sum("long" in document.text for document in request.candidates)
        told = {"truncated": long / len(request.candidates)} | (
            {"size": float(len(request.candidates))} if self.size else {}
        )
        return Scores(values, told)

    def run(self, requests: Sequence[Request], data: object = "", named: bool = True, **window: int) -> Scored:
        """As a bench of a data set scores them."""
        self.asked = []

        def loaded() -> Any:
            self.loads += 1
            return compose(self, **window)

        return score(loaded, ["scorer", data or next(_numbers)], requests, lambda done: None, Pairs("scorer", named))


def of(query: Query, document: Document) -> float:
    return math.sin(len(query.text) * 31 + sum(map(ord, document.text)))


def documents(count: int) -> tuple[Document, ...]:
    return tuple(Document(f"d{n}", f"văn bản {n}{' long' * (n % 3 == 0)}") for n in range(count))


def requests(queries: int, count: int = 6) -> list[Request]:
    shown = documents(count)
    return [Request(Query(f"q{n}", f"câu hỏi {'x' * n}"), shown) for n in range(queries)]


def plain(asked: Sequence[Request], scorer: Counting | None = None) -> Scored:
    """Without pairs."""
    return score(lambda: compose(scorer or Counting()), ["plain", next(_numbers)], asked, lambda done: None)


def test_one_new_query_scores_one_query() -> None:
    Counting().run(requests(20))
    again = Counting()
    found = again.run(requests(21))
    assert again.asked == [(requests(21)[20].query.text, document.text) for document in documents(6)]
    assert found.answers == plain(requests(21)).answers
    assert not found.stored


def test_a_deeper_list_scores_the_new_documents() -> None:
    Counting().run(requests(5, 4))
    again = Counting()
    found = again.run(requests(5, 6))
    new = [(r.query.text, document.text) for r in requests(5) for document in documents(6)[4:]]
    assert again.asked == [*new[:2], *new], "the first query alone once more, to be compared"
    assert found.answers == plain(requests(5, 6)).answers, "the share of truncated documents is put together too"


def test_all_that_is_known_loads_nothing() -> None:
    Counting().run(requests(5))
    again = Counting()
    found = again.run([*requests(5)][1:4])
    assert (again.loads, again.asked, found.stored) == (0, [], True)
    assert found.answers == plain(requests(5)[1:4]).answers
    assert found.info == Counting().info


def test_a_first_run_asks_one_query_more_in_two_halves() -> None:
    first, other = Counting(), Counting()
    first.run(requests(3))
    score(lambda: compose(other), ["plain", next(_numbers)], requests(3), lambda done: None)
    assert len(first.asked) == len(other.asked) + 6


def test_a_shorter_list_is_asked_anew_where_documents_were_truncated() -> None:
    """Which of the truncated ones are left cannot be told."""
    untruncated = documents(6)[1:3]
    Counting().run(requests(4, 6))
    Counting().run([replace(r, candidates=untruncated) for r in requests(2)], data="short")
    again = Counting()
    found = again.run(requests(4, 4))
    assert {query for query, _ in again.asked} == {request.query.text for request in requests(4)}
    assert found.answers == plain(requests(4, 4)).answers
    clean = [Request(request.query, documents(9)[1:3]) for request in requests(2)]
    Counting().run(clean)
    once_more = Counting()
    assert once_more.run([replace(r, candidates=r.candidates[:1]) for r in clean]).answers
    assert once_more.asked == []


@pytest.mark.parametrize(
    "info",
    [ModelInfo("logit", listwise=True), ModelInfo("rank"), ModelInfo("logit", max_candidates=100)],
    ids=["listwise", "rank", "limited"],
)
def test_others_are_asked_anew(info: ModelInfo) -> None:
    Counting(info).run(requests(3))
    again = Counting(info)
    again.run(requests(4))
    assert {query for query, _ in again.asked} == {request.query.text for request in requests(4)}
    assert not list(home().glob("pairs/*.sqlite"))


def test_windows_are_asked_anew() -> None:
    Counting().run(requests(3), window=4)
    again = Counting()
    again.run(requests(3), window=4)
    assert again.asked
    assert not list(home().glob("pairs/*.sqlite"))


def test_a_scorer_that_falsely_says_so_is_found_and_told() -> None:
    first = Counting(company=0.5).run(requests(3))
    assert first.info.notes == (NOT_APART,)
    again = Counting(company=0.5)
    found = again.run(requests(4, 4))
    assert len(set(again.asked)) == 16, "nothing is used again"
    assert found.info.notes == (NOT_APART,)
    assert found.answers == plain(requests(4, 4), Counting(company=0.5)).answers


def test_diagnostics_that_are_no_means_are_never_put_together() -> None:
    assert Counting(size=True).run(requests(3)).info.notes == ()
    again = Counting(size=True)
    found = again.run(requests(3, 8))
    assert len(set(again.asked)) == 24
    assert found.answers == plain(requests(3, 8), Counting(size=True)).answers


def changed(request: Request, **what: Any) -> Request:
    query = {key: value for key, value in what.items() if key in ("text", "history", "id")}
    first, *others = request.candidates
    document = {key.removeprefix("document_"): value for key, value in what.items() if key.startswith("document_")}
    shown = replace(request, query=replace(request.query, **query), candidates=(replace(first, **document), *others))
    return replace(shown, first_stage=what["first_stage"]) if "first_stage" in what else shown


BASE = replace(requests(1)[0], first_stage=(3.0, 2.0, 1.0, 0.5, 0.25, 0.125))


@pytest.mark.parametrize(
    ("what", "pairs"),
    [
        ({}, 0),
        ({"text": "another"}, 6),
        ({"history": (Document("h", "met"),)}, 6),
        ({"id": "other"}, 6),
        ({"document_text": "another"}, 1),
        ({"document_title": "another"}, 1),
        ({"document_metadata": {"price": 3}}, 1),
        ({"document_id": "other"}, 1),
        ({"first_stage": (9.0, 2.0, 1.0, 0.5, 0.25, 0.125)}, 1),
        ({"first_stage": None}, 6),
    ],
    ids=str,
)
def test_all_that_a_scorer_is_shown_is_in_the_key(what: dict[str, Any], pairs: int) -> None:
    clean = replace(BASE, candidates=tuple(replace(d, text=d.text.replace("long", "")) for d in BASE.candidates))
    Counting().run([clean])
    again = Counting()
    again.run([changed(clean, **what)])
    assert len(again.asked) == pairs


def test_ids_that_are_drawn_by_lot_are_not() -> None:
    Counting().run([BASE], named=False)
    again = Counting()
    again.run([changed(BASE, id="other", document_id="d9")], named=False)
    assert again.asked == []


def test_equal_documents_under_two_ids_by_lot() -> None:
    twins = (Document("a", "same"), Document("b", "same"), Document("c", "other"))
    request = Request(Query("q", "text"), twins)
    for named in (False, True):
        Counting().run([request], named=named)
        again = Counting()
        assert again.run([request], named=named).answers == plain([request]).answers
        assert again.asked == []


def test_another_key_knows_nothing() -> None:
    Counting().run(requests(2))
    assert Pairs("other").known(requests(2)) == ([[], []], None)


def test_fresh_makes_pairs_anew_once() -> None:
    Counting().run(requests(3))
    with anew():
        first, second = Counting(), Counting()
        first.run(requests(3))
        second.run(requests(3))
    assert len(set(first.asked)) == 18
    assert second.asked == []


def rewritten(path: Path, change: Callable[[sqlite3.Connection], object]) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        change(connection)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "garbage": lambda path: path.write_bytes(b"garbage" * 1000),
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a link": lambda path: (path.rename(path.with_name("elsewhere")), path.symlink_to(path.with_name("elsewhere"))),
    "another score": lambda path: rewritten(
        path, lambda c: c.execute("UPDATE answers SET scores = zeroblob(length(scores)) WHERE rowid = 2")
    ),
    "another query's": lambda path: rewritten(
        path, lambda c: c.execute("UPDATE answers SET query = (SELECT query FROM answers WHERE rowid = 1)")
    ),
    "another state": lambda path: rewritten(path, lambda c: c.execute("UPDATE about SET told = '{}'")),
    "another form": lambda path: rewritten(path, lambda c: c.execute("PRAGMA user_version = 7")),
    "no table": lambda path: rewritten(path, lambda c: c.execute("DROP TABLE answers")),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_pairs_are_told_and_made_anew(
    damage: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "rr")
    Counting().run(requests(5))
    (path,) = home().glob("pairs/*.sqlite")
    damage(path)
    found = Counting().run(requests(6))
    assert found.answers == plain(requests(6)).answers
    assert len([one for one in caplog.messages if "is damaged" in one]) == 1 or damage is DAMAGES["empty"]
    again = Counting()
    again.run(requests(6))
    assert again.asked == []


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_whatever_was_asked_before_the_answers_are_the_same(data: st.DataObject) -> None:
    shown = documents(7)
    key = next(_numbers)

    def drawn() -> list[Request]:
        lists = data.draw(st.lists(st.lists(st.integers(0, 6), unique=True, max_size=7), min_size=1, max_size=4))
        return [Request(Query(f"q{n}", f"câu {n}"), tuple(shown[i] for i in one)) for n, one in enumerate(lists)]

    for _ in range(data.draw(st.integers(1, 4))):
        asked = drawn()
        found = score(lambda: compose(Counting()), [key, next(_numbers)], asked, lambda done: None, Pairs(["of", key]))
        wanted = plain(asked).answers
        assert {q: list(answer.scores.items()) for q, answer in found.answers.items()} == {
            q: list(answer.scores.items()) for q, answer in wanted.items()
        }, "in this very order"
        for query, answer in wanted.items():
            assert found.answers[query].diagnostics == pytest.approx(dict(answer.diagnostics), abs=1e-12)


# a real scorer, whose batches are padded: company changes the last bits


def lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def with_queries(small_registry: Path, count: int) -> None:
    folder = small_registry.parent / "small"
    texts = [f"tìm phòng {'gần chợ ' * (n % 4)}số {n}" for n in range(count)]
    lines(folder / "queries.jsonl", [{"id": f"q{n}", "text": text, "split": split(n)} for n, text in enumerate(texts)])
    lines(folder / "qrels.jsonl", [{"query": f"q{n}", "document": f"d{n % 6}"} for n in range(count)])


def split(n: int) -> str:
    return "train" if n < 2 else "dev" if n < 4 else "test"


def test_a_real_model_answers_as_without_the_store(
    small_registry: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("sentence_transformers")
    with_queries(small_registry, 12)
    rr.bench(["bi-encoder"], registry=small_registry)
    with_queries(small_registry, 13)
    asked: list[str] = []
    monkeypatch.setattr(
        "rr_bench.evaluate.store.same_in_company", lambda request, *rest: asked.append(request.query.id)
    )
    reused = rr.bench(["bi-encoder"], registry=small_registry).datasets[0].rows[0]
    assert not reused.failure
    assert asked == [], "of one query there is nothing to compare"
    monkeypatch.setenv("RR_HOME", str(tmp_path / "another"))
    fresh = rr.bench(["bi-encoder"], registry=small_registry).datasets[0].rows[0]
    assert reused.per_query == fresh.per_query
    assert reused.diagnostics == fresh.diagnostics

    registry = load_registry(small_registry)
    resolved = resolve(installed_plugins(), "bi-encoder", registry.reranker("bi-encoder"))
    reranker = load_reranker(resolved, None)
    data = load_dataset("rooms", registry.dataset("rooms")).requests("test")
    monkeypatch.setenv("RR_HOME", str(tmp_path / "third"))
    pairs = Pairs("key")
    score(lambda: reranker, "first", data[:-1], lambda done: None, pairs)
    found = score(lambda: reranker, "second", data, lambda done: None, pairs)
    monkeypatch.undo()
    for request, ranking in zip(data, reranker.rerank(data), strict=True):
        same_in_company(request, found.answers[request.query.id].scores, ranking.run, found.info, ())


def test_a_pair_that_is_no_more_what_the_model_says_fails_the_row(
    small_registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no key can tell: the sample that is timed is compared with the answers that are used."""
    with_queries(small_registry, 12)
    real = Pairs._row

    def otherwise(self: Pairs, request: Request, answer: Any) -> Any:
        return real(self, request, replace(answer, scores={id_: value + 1 for id_, value in answer.scores.items()}))

    with monkeypatch.context() as patch:
        patch.setattr(Pairs, "_row", otherwise)
        rr.bench(["bi-encoder"], registry=small_registry)
    with_queries(small_registry, 13)
    (row,) = rr.bench(["bi-encoder"], registry=small_registry).datasets[0].rows
    assert "when the query is asked alone" in row.failure
