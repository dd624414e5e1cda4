"""Progress that moves while a part is scored, and lines now and then where there is no terminal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rr import Document, Query, Request
from rr.progress import SCORED
from rr_bench.cli import printing
from rr_bench.cli.options import RichProgress
from rr_bench.moving import Moving
from rr_torch import counted

REQUESTS = [Request(Query(f"q{n}", "x"), tuple(Document(f"d{m}", "y") for m in range(4))) for n in range(5)]


def test_pairs_are_told_as_the_queries_that_they_amount_to() -> None:
    told: list[int] = []
    moving = Moving(told.append)
    with moving.through(REQUESTS, listwise=False):
        for pairs in (3, 1, 8):
            SCORED.get()(pairs)
    assert told == [1, 2]
    moving.finish(5)
    assert sum(told) == 5


def test_a_scorer_that_reads_twice_is_not_counted_twice() -> None:
    told: list[int] = []
    moving = Moving(told.append)
    for listwise in (False, True):
        with moving.through(REQUESTS, listwise):
            for batch in counted([[0, 1], [2], [3, 4]] * (1 if listwise else 10)):
                assert batch
        moving.finish(5)
        assert sum(told) == 5
        told.clear()


def test_outside_nobody_listens() -> None:
    SCORED.get()(3)
    told: list[int] = []
    with Moving(told.append).through([], listwise=False):
        SCORED.get()(3)
    assert told == []


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    yield now
    printing.say("as usual")


def test_without_a_terminal_a_line_comes_now_and_then(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with RichProgress().task("rooms: bm25", 100) as advance:
        for _ in range(4):
            clock[0] += 6.0
            advance(20)
    assert capsys.readouterr().err.splitlines() == [
        "rooms: bm25: 40/100 · ETA 0:18",
        "rooms: bm25: 80/100 · ETA 0:06",
        "rooms: bm25: 24.0 s",
    ]


def test_when_little_is_said_there_is_no_progress(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    printing.say("little")
    with RichProgress().task("rooms: bm25", 100) as advance:
        clock[0] += 60.0
        advance(20)
    assert capsys.readouterr().err == ""
