"""What a query costs, whoever was benched before, and what the table says of where that was measured."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

import rr
from rr import Component, Dataset, ModelInfo, OnEvent, Request, Settings, TrainingEvent
from rr.files import home, keeping
from rr.registry.plugins import Plugins, Registered, installed_plugins
from rr_bench.environment import REPORTED_VERSIONS, conditions, machine
from rr_bench.evaluate import cost
from rr_bench.evaluate.cost import AT_LEAST, QUERIES, measured, sample, stored_cost
from rr_bench.evaluate.folds import pooled
from rr_bench.evaluate.results import BenchResult, DatasetResult, Row
from rr_bench.evaluate.significance import Interval
from rr_bench.evaluate.store import Answer
from rr_bench.keeping import home_at, nothing_kept, write_checked
from rr_bench.report.files import csv_text
from rr_bench.report.table import explanation
from tests.core.scorers import request_of

TEXT = 0.01
"""Seconds that a text takes."""


class Lazy:
    """Length of the text, which takes long, and is kept on disk."""

    info = ModelInfo("logit")
    computed: ClassVar[int] = 0

    class Settings(Settings):
        times: float = 1.0

    def __init__(self, settings: Any, checkpoint: Path | None = None) -> None:
        self._times = settings.times

    def folder(self) -> Path:
        return home() / "lazy"

    def length(self, text: str) -> int:
        path = self.folder() / f"{text.encode().hex()}.txt"
        if not path.is_file():
            time.sleep(TEXT)
            type(self).computed += 1
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(len(text)), encoding="utf-8")
        return int(path.read_text(encoding="utf-8"))

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        return [[self._times * self.length(d.text) for d in request.candidates] for request in requests]


class Fixed(Lazy):
    """Where it keeps them was settled when it was loaded."""

    def __init__(self, settings: Any, checkpoint: Path | None = None) -> None:
        super().__init__(settings, checkpoint)
        self._folder = home() / "lazy"

    def folder(self) -> Path:
        return self._folder


class Remembering(Lazy):
    """Keeps them in memory, as long as it is loaded."""

    def __init__(self, settings: Any, checkpoint: Path | None = None) -> None:
        super().__init__(settings, checkpoint)
        self._known: dict[str, int] = {}

    def length(self, text: str) -> int:
        if text not in self._known:
            time.sleep(TEXT)
            self._known[text] = len(text)
        return self._known[text]


class Trainer:
    """Reads a text in its own home, and may be interrupted after it."""

    found: ClassVar[list[list[str]]] = []
    """What was kept there, training by training."""
    interrupts: ClassVar[bool] = False

    class Settings(Settings):
        rate: float = 1.0

    def __init__(self, settings: Settings, scorer_settings: Settings) -> None: ...

    def train(self, dataset: Dataset, out: Path, on_event: OnEvent) -> None:
        folder = home() / "lazy"
        self.found.append(sorted(path.name for path in folder.glob("*")))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "read").write_text("read")
        if self.interrupts:
            signal.raise_signal(signal.SIGINT)  # as Ctrl-C does
        on_event(TrainingEvent(1, 1, loss=1.0, trained=7))
        (out / "weights").write_text("1")


class Trained:
    info = ModelInfo("logit", parameters=10, trainable=9)

    def __init__(self, settings: Settings, checkpoint: Path | None = None) -> None:
        self._score = float((checkpoint / "weights").read_text()) if checkpoint else 0.0

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        return [[self._score] * len(request.candidates) for request in requests]


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Plugins:
    monkeypatch.setattr(Trainer, "found", [])
    monkeypatch.setattr(Lazy, "computed", 0)
    targets = [("scorer", one.__name__.lower(), one.__name__) for one in (Lazy, Fixed, Remembering, Trained)]
    return Plugins(
        [
            *installed_plugins().components,
            *(
                Registered(Component(name, f"{__name__}:{target}", ""), kind, "toy", "toy", "1")
                for kind, name, target in (*targets, ("trainer", "toy", "Trainer"))
            ),
        ]
    )


def registry_with(path: Path, lines: str) -> Path:
    path.write_text(path.read_text(encoding="utf-8") + lines, encoding="utf-8")
    return path


def rows(registry: Path, plugins: Plugins, *names: str) -> dict[str, Row]:
    found = {row.reranker: row for row in rr.bench(names, registry=registry, plugins=plugins).datasets[0].rows}
    assert not any(row.failure for row in found.values())
    return found


# --- nothing kept


def test_a_home_of_its_own_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = home()
    with home_at(tmp_path / "other"):
        assert home() == tmp_path / "other"
    assert home() == before
    with suppress(KeyError), nothing_kept():
        raise KeyError
    assert (home(), keeping()) == (before, True)
    with nothing_kept():
        assert not keeping()
        outer = home()
        (outer / "file").write_text("x")
        with nothing_kept():
            assert home() != outer
            assert not list(home().iterdir())
        assert (home(), keeping()) == (outer, False)
    assert (home(), keeping(), outer.exists()) == (before, True, False)
    monkeypatch.delenv("RR_HOME")
    with nothing_kept():
        assert os.environ["RR_HOME"]
    assert "RR_HOME" not in os.environ


@pytest.mark.parametrize("kind", ["lazy", "fixed", "remembering"])
def test_the_order_of_the_rows_does_not_change_what_they_cost(
    small_registry: Path, plugins: Plugins, tmp_path: Path, kind: str
) -> None:
    """Whatever the component keeps on disk, or in memory while it is loaded; it sleeps, so that the machine is not
    what is measured."""
    registry = registry_with(
        small_registry, f"  a: {{scorer: {kind}}}\n  b: {{scorer: {kind}, settings: {{times: 2}}}}\n"
    )
    costs: dict[str, list[float]] = {"a": [], "b": []}
    for order in (("a", "b"), ("b", "a")):
        with home_at(tmp_path / order[0]):
            for name, row in rows(registry, plugins, *order).items():
                costs[name].append(row.ms_per_query)
    figures = [*costs["a"], *costs["b"]]
    if kind != "lazy":  # what a loaded model keeps where nobody can see it is its own: the warm-up has paid for it
        assert max(figures) < 1000 * TEXT
        return
    assert max(figures) < 1.5 * min(figures)
    assert min(figures) >= 6 * 1000 * TEXT  # all six rooms, for each query


def test_what_is_timed_is_not_kept_and_what_is_kept_stays(small_registry: Path, plugins: Plugins) -> None:
    registry = registry_with(small_registry, "  a: {scorer: lazy}\n")
    rows(registry, plugins, "a")
    assert len(list((home() / "lazy").iterdir())) == 6
    assert Lazy.computed == 6 * (1 + 1 + 3)  # for the scores; for the warm-up, and anew for each of the other queries


# --- the sample


def test_the_sample_is_the_same_each_time_and_leaves_out_the_warm_up() -> None:
    requests = [request_of(3, f"q{n}") for n in range(QUERIES + 30)]
    first, asked = sample(requests)
    assert len(asked) == QUERIES
    assert first not in asked
    assert (first, asked) == sample(requests)
    few = [request_of(0, "empty"), *requests[:4]]
    first, asked = sample(few)
    assert sorted(one.query.id for one in (first, *asked)) == ["q0", "q1", "q2", "q3"]
    assert sample(requests[:1]) == (requests[0], [requests[0]])
    assert sample([request_of(0, "empty")]) == (request_of(0, "empty"), [request_of(0, "empty")])


class Sleeps:
    """A reranker that takes so many seconds a query, and none to be warmed up."""

    info = ModelInfo("logit")

    def __init__(self, seconds: float) -> None:
        self._seconds, self.asked = seconds, list[str]()

    def rerank(self, requests: Sequence[Request]) -> list[rr.Ranking]:
        if self.asked:
            time.sleep(self._seconds)
        self.asked += [request.query.id for request in requests]
        return [rr.Ranking.from_scores(request, [1.0] * len(request.candidates)) for request in requests]


def answers_of(requests: Sequence[Request]) -> dict[str, Answer]:
    return {one.query.id: Answer({document.id: 1.0 for document in one.candidates}, {}) for one in requests}


def test_a_slow_reranker_is_asked_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "SECONDS", 0.05)
    requests = [request_of(4, f"q{n}") for n in range(QUERIES + 10)]
    found = measured(lambda: Sleeps(0.1), requests, answers_of(requests))
    assert found.queries == AT_LEAST
    assert 100 <= found.ms_per_query < 200
    assert found.pairs_per_second == pytest.approx(4 / found.ms_per_query * 1000)
    monkeypatch.setattr(cost, "SECONDS", 60.0)
    quick = Sleeps(0.0)
    assert measured(lambda: quick, requests, answers_of(requests)).queries == QUERIES
    assert len(set(quick.asked)) == len(quick.asked) == QUERIES + 1


# --- what is stored


def test_a_cost_is_measured_once_and_says_what_it_was_timed_on() -> None:
    requests = [request_of(4, f"q{n}") for n in range(5)]
    found = stored_cost(lambda: Sleeps(0.0), "key", requests, answers_of(requests))
    assert found.timed_on["machine"] == machine()
    assert found.timed_on["device"] == "cpu"
    assert int(found.timed_on["threads"]) > 0
    assert {"python", *REPORTED_VERSIONS} <= found.timed_on.keys()

    def never() -> Sleeps:
        raise AssertionError("it is stored")

    assert stored_cost(never, "key", requests, answers_of(requests)) == found
    assert stored_cost(lambda: Sleeps(0.0), "other", requests, answers_of(requests)) != found


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"\x00" * 40, "faster", "of another"])
def test_a_damaged_cost_is_named_and_measured_again(content: bytes | str, caplog: pytest.LogCaptureFixture) -> None:
    requests = [request_of(4, f"q{n}") for n in range(5)]
    stored_cost(lambda: Sleeps(0.0), "key", requests, answers_of(requests))
    (path,) = (home() / "costs").iterdir()
    if content == "faster":
        content = path.read_bytes().replace(b'"ms_per_query": ', b'"ms_per_query": 0.0')
    elif content == "of another":
        stored_cost(lambda: Sleeps(0.0), "other", requests, answers_of(requests))
        content = next(other for other in (home() / "costs").iterdir() if other != path).read_bytes()
    path.write_bytes(content)  # type: ignore[arg-type]
    found = stored_cost(lambda: Sleeps(0.0), "key", requests, answers_of(requests))
    assert f"{path.name} is damaged" in caplog.text
    assert json.loads(path.read_text(encoding="utf-8"))["content"] == asdict(found)


def test_the_table_says_which_machine_the_stored_times_are_of(small_registry: Path, plugins: Plugins) -> None:
    """Today's machine is not what yesterday's times are of."""
    found = rr.bench(["bm25", "random"], registry=small_registry, plugins=plugins)
    assert f"Times are of {machine()}, " in explanation(found)
    for path in (home() / "costs").iterdir():
        stored = json.loads(path.read_text(encoding="utf-8"))
        stored["content"]["timed_on"]["machine"] = "riscv64, 1 core"
        write_checked(path, stored["key"], stored["content"])
    again = rr.bench(["bm25", "random"], registry=small_registry, plugins=plugins)
    assert "Times are of riscv64, 1 core, " in explanation(again)
    assert machine() not in explanation(again)
    assert [row.ms_per_query for row in again.datasets[0].rows] == [row.ms_per_query for row in found.datasets[0].rows]
    next((home() / "costs").iterdir()).unlink()
    mixed = rr.bench(["bm25", "random"], registry=small_registry, plugins=plugins)
    assert "Times are of different machines and cannot be compared across them" in explanation(mixed)
    assert "riscv64, 1 core" in explanation(mixed)
    assert machine() in explanation(mixed)
    assert sum("riscv64" in line for line in csv_text(mixed).splitlines()) == 1


# --- trainings


def test_a_training_finds_nothing_that_others_have_kept(small_registry: Path, plugins: Plugins) -> None:
    entry = "  {}: {{scorer: trained, trainer: toy, training: {{rate: {}}}}}\n"
    registry = registry_with(small_registry, entry.format("a", 1) + entry.format("b", 2))
    (home() / "lazy").mkdir(parents=True)
    (home() / "lazy" / "of another").write_text("x")
    found = rows(registry, plugins, "a", "b")
    assert Trainer.found == [[], []]
    assert {name: row.trainable for name, row in found.items()} == {"a": 7, "b": 7}
    assert all(row.train_timed_on["machine"] == machine() for row in found.values())
    for folder in (home() / "checkpoints").iterdir():
        assert sorted(path.name for path in folder.iterdir()) == ["events.jsonl", "training_info.json", "weights"]


def test_after_an_interrupt_a_training_finds_what_it_has_kept_itself(
    small_registry: Path, plugins: Plugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = registry_with(small_registry, "  a: {scorer: trained, trainer: toy}\n")
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "interrupts", True)
        with pytest.raises(KeyboardInterrupt):
            rr.bench(["a"], registry=registry, plugins=plugins)
    rows(registry, plugins, "a")
    assert Trainer.found == [[], ["read"]]
    assert not (home() / "lazy").exists()


# --- reports


def row_of(name: str, timed_on: str = "", trained_on: str = "") -> Row:
    def conditions_of(text: str) -> dict[str, str]:
        return {"machine": text, "threads": "2", "device": "cpu"} if text else {}

    return Row(
        name,
        metrics={"MRR@10": Interval(0.5, 0.4, 0.6)},
        per_query={"MRR@10": (0.5,)},
        timed_on=conditions_of(timed_on),
        train_timed_on=conditions_of(trained_on),
    )


def result_of(*found: Row) -> BenchResult:
    return BenchResult("p", "a", ("MRR@10",), (DatasetResult("d", query_ids=("q",), rows=found),), {})


def test_a_training_on_another_machine_is_told() -> None:
    one = explanation(result_of(row_of("a", "here"), row_of("b", "here", "here")))
    assert "Times are of here, 2 threads, cpu." in one
    two = explanation(result_of(row_of("a", "here"), row_of("b", "here", "there")))
    assert "here, 2 threads, cpu: a, b; there, 2 threads, cpu: the training of b." in two
    assert "Times" not in explanation(result_of(Row("a", failure="no")))


def test_folds_that_were_timed_on_different_machines_say_so() -> None:
    here, there = (result_of(row_of("a", place)).datasets[0] for place in ("here", "there"))
    assert pooled([here, here]).rows[0].timed_on["machine"] == "here"
    assert pooled([here, there]).rows[0].timed_on["machine"] == "here / there"
    untrained = pooled([here, replace(here)]).rows[0]
    assert untrained.train_timed_on == {}


def test_conditions_name_the_machine() -> None:
    with conditions() as found:
        assert found()["machine"] == machine()
    assert "cores" in machine()
