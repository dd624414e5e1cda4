"""One bench killed again and again, and two at once: the same table, and nothing computed twice beyond the part in
flight, by the scorer's own count."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.shelves.launcher import Launcher, begun, wait_for
from tests.shelves.test_kills import DOCUMENTS, QUERIES, Sitting, bench_in, figures, kept_files, place

__all__ = ["place"]
pytestmark = pytest.mark.attack("kill")

KILLS, SEED = 10, 13


@pytest.fixture(scope="module")
def launchers(installed: Callable[[str], Path]) -> Iterator[tuple[Launcher, Launcher]]:
    made = Launcher(installed("rr_steady"), DOCUMENTS), Launcher(installed("rr_steady"), DOCUMENTS)
    yield made
    for one in made:
        one.close()


def scored(log: list[str]) -> list[str]:
    """The queries that the scorer was asked, one after the other, but for those that are timed."""
    return [query for line in log if line.startswith("scored ") for query in line.split()[1:]]


def for_scores(asked: Sequence[str], before: set[str]) -> list[str]:
    """Without those behind the last query that had no scores yet: they are asked in another order, and among fewer."""
    left, found = set(QUERIES) - before, list[str]()
    for query in asked:
        if not left:
            break
        found.append(query)
        left.discard(query)
    return found


def finished(sitting: Sitting) -> set[str]:
    """The queries whose parts of the counting scorer are on disk."""
    contents = [json.loads(path.read_text(encoding="utf-8"))["content"] for path in kept_files(sitting.home)]
    return {query for one in contents if one["info"]["parameters"] for query in one["queries"]}


@pytest.fixture(scope="module")
def undisturbed(
    launchers: tuple[Launcher, Launcher], place: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[dict[str, Any]], Counter[str]]:
    """What one bench gives that nothing disturbs, and how often it asks each query: once for its scores, and some of
    them for what an order or fewer candidates change."""
    folder = tmp_path_factory.mktemp("benched")
    sitting = bench_in(launchers[0], place, folder)
    sitting.ended()
    return figures(folder / "out"), Counter(scored(begun(sitting.log)))


@pytest.fixture(scope="module")
def benched(undisturbed: tuple[list[dict[str, Any]], Counter[str]]) -> list[dict[str, Any]]:
    return undisturbed[0]


def test_ten_kills_at_seeded_moments(
    launchers: tuple[Launcher, Launcher], place: Path, benched: list[dict[str, Any]], tmp_path: Path
) -> None:
    sitting, generator = bench_in(launchers[0], place, tmp_path), random.Random(SEED)
    moments = [generator.choice(QUERIES) if n % 2 else generator.uniform(0.0, 0.6) for n in range(KILLS)]
    for moment in moments:
        before, files = finished(sitting), kept_files(sitting.home)
        process = sitting.start(RR_STEADY_SECONDS="0.02")
        if isinstance(moment, float):
            time.sleep(moment)
        elif moment not in before:
            wait_for(sitting.log, f"scored {moment}")
        assert launchers[0].kill(process) in (-signal.SIGKILL, 0), sitting.said.read_text()
        asked, new = for_scores(scored(begun(sitting.log)), before), finished(sitting) - before
        sitting.log.unlink(missing_ok=True)
        assert not set(asked) & before, "nothing that was finished is asked again"
        assert len(set(asked) - new) <= 1, "the part in flight alone is lost"
        after = kept_files(sitting.home)
        assert {path: after[path] for path in files} == files
    sitting.ended()
    assert figures(tmp_path / "out") == benched


def together(launchers: tuple[Launcher, Launcher], place: Path, folder: Path) -> list[Sitting]:
    """Two benches with one home."""
    for number in range(2):
        (folder / f"bench {number}").mkdir()
    return [bench_in(one, place, folder / f"bench {n}", folder / "home") for n, one in enumerate(launchers)]


def test_two_at_once_share_the_work(
    launchers: tuple[Launcher, Launcher],
    place: Path,
    undisturbed: tuple[list[dict[str, Any]], Counter[str]],
    tmp_path: Path,
) -> None:
    benched, once = undisturbed
    sittings = together(launchers, place, tmp_path)
    for sitting in sittings:
        sitting.start(RR_STEADY_SECONDS="0.1")
    assert [launcher.end() for launcher in launchers] == [0, 0], [one.said.read_text() for one in sittings]
    for number in range(2):
        assert figures(tmp_path / f"bench {number}" / "out") == benched
    asked = [Counter(scored(begun(sitting.log))) for sitting in sittings]
    # but for the first query of each process, which is asked alone and by halves, to be held against its own part
    more = asked[0] + asked[1] - once
    assert len(more) <= 1, "nothing is computed twice"
    assert more.total() <= 3
    assert set(once) == set(QUERIES)
    assert all(asked), "both have worked"
    with closing(sqlite3.connect(tmp_path / "home" / "runs" / "runs.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (2,)


def test_a_dead_owners_part_is_taken_over(
    launchers: tuple[Launcher, Launcher], place: Path, benched: list[dict[str, Any]], tmp_path: Path
) -> None:
    """One stops for good within a part; the other does all the rest, waits, and takes it over when the owner dies."""
    first, second = together(launchers, place, tmp_path)
    owner = first.start(RR_STEADY_STOP=f"scored {QUERIES[2]}")
    wait_for(first.log, f"scored {QUERIES[2]}")
    second.start()
    wait_for(second.log, f"scored {QUERIES[-1]}")
    while len(finished(second)) < len(QUERIES) - 1:
        time.sleep(0.002)
    assert QUERIES[2] not in scored(begun(second.log)), "the other parts were taken first"
    assert launchers[0].kill(owner) == -signal.SIGKILL
    assert launchers[1].end() == 0, second.said.read_text()
    assert QUERIES[2] in scored(begun(second.log))
    assert figures(tmp_path / "bench 1" / "out") == benched
