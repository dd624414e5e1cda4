"""What a query costs, whoever was benched before, and what the table says of where that was measured."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import rr
from rr import Component, Dataset, Document, ModelInfo, OnEvent, Query, Request, Scores, Settings, TrainingEvent
from rr.errors import DataError
from rr.files import fingerprint, home, keeping
from rr.registry.plugins import Plugins, Registered, installed_plugins
from rr_bench.data.load import load_dataset
from rr_bench.environment import REPORTED_VERSIONS, conditions, machine
from rr_bench.evaluate import cost
from rr_bench.evaluate.cost import AT_LEAST, QUERIES, measured, sample, stored_cost
from rr_bench.evaluate.first_stage import stored_retrieval
from rr_bench.evaluate.folds import pooled
from rr_bench.evaluate.memory import RESET
from rr_bench.evaluate.pairs import Answer
from rr_bench.evaluate.pareto import with_front
from rr_bench.evaluate.price import dollars, estimated_tokens
from rr_bench.evaluate.results import BenchResult, DatasetResult, Row
from rr_bench.evaluate.significance import Interval
from rr_bench.keeping import home_at, nothing_kept, write_checked
from rr_bench.registry import CandidatePlan, load_registry
from rr_bench.report.files import csv_text
from rr_bench.report.table import cells, explanation, header, title
from rr_bench.schema import Price
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
    targets = [("scorer", one.__name__.lower(), one.__name__) for one in (Lazy, Fixed, Remembering, Trained, Reports)]
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


def test_the_95th_percentile_is_that_of_the_timed_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    """One slow query of twenty-one shows in it, and not in the median."""
    ticks = [*([0.001] * 20), 1.001]
    clock = iter([at for n, spent in enumerate(ticks) for at in (10.0 * n, 10.0 * n + spent)])
    requests = [request_of(4, f"q{n}") for n in range(22)]
    monkeypatch.setattr(cost.time, "perf_counter", lambda: next(clock))
    found = measured(lambda: Sleeps(0.0), requests, answers_of(requests))
    assert found.queries == 21
    assert found.ms_per_query == pytest.approx(1.0)
    assert found.ms_p95 == pytest.approx(1000 * float(np.percentile(ticks, 95)))
    shown = dict(zip(header(result_of(), result_of().datasets[0]), cells(priced(21), result_of()), strict=True))
    assert shown["p95 ms"] == "2.00"
    shown = dict(zip(header(result_of(), result_of().datasets[0]), cells(priced(5), result_of()), strict=True))
    assert shown["p95 ms"] == "2.00 (n 5)", "too few to speak of a 95th percentile"


def priced(queries: int, **figures: Any) -> Row:
    return replace(row_of("a", "here"), ms_per_query=1.0, ms_p95=2.0, timed_queries=queries, **figures)


# --- memory


class Holds(Sleeps):
    """Takes 80 MB when it is loaded, and 60 more for each query, which it gives back."""

    def __init__(self) -> None:
        super().__init__(0.0)
        self._weights = np.ones(80_000_000, dtype=np.uint8)

    def rerank(self, requests: Sequence[Request]) -> list[rr.Ranking]:
        passing = np.ones(60_000_000, dtype=np.uint8)
        del passing
        return super().rerank(requests)


@pytest.mark.skipif(not RESET.exists(), reason="the system has no such mark")
def test_memory_is_the_peak_of_loading_and_asking_whatever_was_there_before() -> None:
    requests = [request_of(4, f"q{n}") for n in range(5)]
    earlier = [bytes(1000) for _ in range(300_000)]  # 300 MB in small pieces, which the allocator likes to keep
    del earlier
    peak = np.ones(400_000_000, dtype=np.uint8)  # the process's own high-water mark
    del peak
    for _ in range(2):
        found = measured(Holds, requests, answers_of(requests))
        assert found.memory is not None
        assert 135e6 <= found.memory <= 160e6
    small = measured(lambda: Sleeps(0.0), requests, answers_of(requests))
    assert small.memory is not None
    assert small.memory < 5e6
    assert small.device_memory == 0


def test_where_the_system_does_not_tell_there_is_no_figure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("rr_bench.evaluate.memory.RESET", tmp_path / "no" / "clear_refs")
    requests = [request_of(4, f"q{n}") for n in range(5)]
    found = measured(Holds, requests, answers_of(requests))
    assert found.memory is None
    shown = dict(zip(header(result_of(), result_of().datasets[0]), cells(priced(30), result_of()), strict=True))
    assert shown["memory"] == ""


# --- prices


def test_dollars_are_of_hours_of_tokens_or_of_calls() -> None:
    assert dollars(Price(per_hour=3.6), 1000.0, 0.0) == pytest.approx(1.0)  # 1,000 s at a tenth of a cent
    assert dollars(Price(per_token=2.0), 0.0, 500.0) == pytest.approx(1.0)  # half a million tokens
    assert dollars(Price(per_call=0.001), 0.0, 0.0) == pytest.approx(1.0)
    assert dollars(Price(per_hour=0.0), 5.0, 5.0) == 0.0


def test_tokens_are_counted_as_they_are_read() -> None:
    request = Request(Query("q", "abcd"), (Document("d1", "abcdefgh"), Document("d2", "abcd", title="abc")))
    read = (8 + len("abc\nabcd")) / 4
    assert estimated_tokens([request], listwise=True) == pytest.approx(1 + read)
    assert estimated_tokens([request], listwise=False) == pytest.approx(2 + read)
    assert estimated_tokens([], listwise=False) == 0.0


class Reports(Lazy):
    """Says how many tokens it has read."""

    def score(self, requests: Sequence[Request]) -> list[Scores]:
        told = {"tokens": 100.0, "requests": 3.0, **({"billed_calls": 2.0} if self._times == 2 else {})}
        return [Scores((1.0,) * len(one.candidates), told) for one in requests]


def test_prices_of_entries_and_of_the_profile(small_registry: Path, plugins: Plugins) -> None:
    text = small_registry.read_text(encoding="utf-8")
    small_registry.write_text(text.replace("{suite: small}", "{suite: small, price: {per_hour: 2}}"), encoding="utf-8")
    registry = registry_with(
        small_registry,
        "  tokens: {scorer: bm25, price: {per_token: 5}}\n"
        "  told: {scorer: reports, price: {per_token: 5}}\n"
        "  calls: {scorer: bm25, price: {per_call: 0.002}}\n"
        "  sent: {scorer: reports, price: {per_call: 0.002}}\n"
        "  billed: {scorer: reports, settings: {times: 2}, price: {per_call: 0.002}}\n"
        "  both: {fuse: [random, calls]}\n"
        "  flat: {fuse: [random, calls], price: {per_call: 1}}\n",
    )
    names = ["random", "tokens", "told", "calls", "sent", "billed", "both", "flat"]
    result = rr.bench(names, registry=registry, plugins=plugins)
    found = {row.reranker: row for row in result.datasets[0].rows}
    assert found["random"].dollars == pytest.approx(2 * found["random"].ms_per_query / 3600)
    assert found["calls"].dollars == pytest.approx(2.0)
    assert found["sent"].dollars == pytest.approx(6.0)
    assert found["billed"].dollars == pytest.approx(4.0)
    assert found["both"].dollars == pytest.approx(2.0 + (found["random"].dollars or 0))
    assert found["flat"].dollars == pytest.approx(1000.0)
    assert found["told"].dollars == pytest.approx(0.5)
    assert not any("tokens" in note for note in found["told"].notes)
    assert "$/1k: of tokens that are estimated, 4 bytes of UTF-8 each" in found["tokens"].notes
    assert (found["tokens"].dollars or 0) > 0
    assert "$/1k" in header(result, result.datasets[0])
    (line,) = [one for one in csv.DictReader(io.StringIO(csv_text(result))) if one["reranker"] == "calls"]
    assert float(line["dollars_per_1k"]) == pytest.approx(2.0)
    assert "$/1k" not in header(result_of(), result_of().datasets[0]), "where no price is known"


# --- the front


def test_the_pareto_front_holds_what_nothing_beats_and_all_of_what_ties() -> None:
    def point(name: str, mean: float, ms: float) -> Row:
        return Row(name, metrics={"MRR@10": Interval(mean, 0.0, 1.0)}, ms_per_query=ms)

    rows = [
        point("fast", 0.5, 1.0),
        point("slower and worse", 0.4, 2.0),
        point("better", 0.6, 3.0),
        point("as good, slower", 0.6, 4.0),
        point("worse, as slow", 0.55, 3.0),
        point("twin of better", 0.6, 3.0),
        point("best", 0.9, 100.0),
        Row("failed", failure="no"),
    ]
    found = {row.reranker for row in with_front(rows, "MRR@10") if row.pareto}
    assert found == {"fast", "better", "twin of better", "best"}
    assert not any(row.pareto for row in with_front([Row("failed", failure="no")], "MRR@10"))
    result = result_of(*with_front(rows, "MRR@10"))
    assert "3.00*" in cells(result.datasets[0].rows[2], result)
    assert "3.00" in cells(result.datasets[0].rows[4], result)
    marks = {line["reranker"]: line["pareto"] for line in csv.DictReader(io.StringIO(csv_text(result)))}
    assert (marks["best"], marks["as good, slower"]) == ("true", "false")


# --- the first stage


def test_the_first_stage_is_timed_once_and_stands_in_the_title(small_registry: Path, plugins: Plugins) -> None:
    (found,) = rr.bench(["bm25"], registry=small_registry, plugins=plugins).datasets
    assert found.first_stage["queries"] == 3
    assert 0 < found.first_stage["ms_per_query"] <= found.first_stage["ms_p95"]
    assert found.first_stage_timed_on["machine"] == machine()
    shown = f"; first stage {found.first_stage['ms_per_query']:.2f} ms/query, p95 {found.first_stage['ms_p95']:.2f}; "
    assert shown in title(found)
    (again,) = rr.bench(["random"], registry=small_registry, plugins=plugins).datasets
    assert again.first_stage == found.first_stage
    (folded,) = rr.bench(["random"], folds=2, registry=small_registry, plugins=plugins).datasets
    assert folded.first_stage["queries"] >= 3


class Needs:
    """A retriever that ranks by the source's run alone."""

    learns = False

    def __init__(self, settings: Settings) -> None:
        """There is nothing to set."""

    def fit(self, corpus: rr.Corpus) -> None:
        if not corpus.run:
            raise DataError("needs a run")

    def scores(self, query: Query) -> dict[str, float]:
        raise AssertionError("it was not fitted")


def test_a_run_that_the_source_brought_along_is_not_timed(small_registry: Path) -> None:
    registry = load_registry(small_registry)
    dataset = load_dataset("rooms", registry.dataset("rooms"))
    needs = Registered(Component("needs", f"{__name__}:Needs", ""), "retriever", "toy", "toy", "1")
    plugins = Plugins([*installed_plugins().components, needs])
    for retriever in ("run", "rerank-registry/run", "needs"):
        assert stored_retrieval(CandidatePlan(retriever=retriever), dataset, plugins) is None
    assert stored_retrieval(CandidatePlan(), dataset, plugins) is not None
    assert " ms/query" not in title(replace(result_of().datasets[0], retriever="run"))


# --- what is stored


def test_a_cost_of_an_older_format_is_not_read(caplog: pytest.LogCaptureFixture) -> None:
    """It has no percentile, and says nothing of memory: it stays where it is, and is neither damaged nor taken."""
    requests = [request_of(4, f"q{n}") for n in range(5)]
    old = {"ms_per_query": 1.0, "pairs_per_second": 4000.0, "queries": 4, "timed_on": {}}
    path = home() / "costs" / f"{fingerprint('key')[:32]}.json"
    write_checked(path, f"cost of {fingerprint('key')}", old)
    before = path.read_bytes()
    found = stored_cost(lambda: Sleeps(0.0), "key", requests, answers_of(requests))
    assert found.timed_on["machine"] == machine()
    assert path.read_bytes() == before
    assert "damaged" not in caplog.text


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
    next(path for path in (home() / "costs").iterdir() if not path.name.startswith("first-stage-")).unlink()
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
