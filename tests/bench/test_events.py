"""What a training tells while it goes on: on disk at once, kept when it fails, and asked again of what it left."""

from __future__ import annotations

import json
import math
import random
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from rr import (
    Component,
    Dataset,
    ModelInfo,
    OnEvent,
    PluginError,
    Request,
    RerankError,
    Scores,
    Settings,
    TrainingEvent,
)
from rr.errors import NoNumberError
from rr.measures import evaluate, metric
from rr.registry.plugins import Plugins, Registered
from rr_bench.data.load import load_dataset
from rr_bench.doctor.evidence import of_path
from rr_bench.progress import Progress, clock
from rr_bench.registry import load_registry
from rr_bench.resolve import Resolved, resolve
from rr_bench.schema import RerankerEntry
from rr_bench.train import events as told
from rr_bench.train.events import EventLog, read_events, read_lines
from rr_bench.train.failures import failed_folder
from rr_bench.train.training import train

Told = Callable[[OnEvent, Path], object]


class Scorer:
    """As many points as letters of the document that its weights name; without weights, as many as its id says."""

    noise: ClassVar[float] = 0.0
    generator: ClassVar[random.Random] = random.Random(1)
    reads: ClassVar[bool] = True
    """Whether the checkpoint is loaded."""

    def __init__(self, settings: Settings, checkpoint: Path | None = None) -> None:
        self.letters = (checkpoint / "weights").read_text(encoding="utf-8") if checkpoint and self.reads else ""
        self.info = ModelInfo("logit", state="trained" if checkpoint else "untrained")

    def score(self, requests: Sequence[Request]) -> list[Scores]:
        found = []
        for request in requests:
            values = [float(sum(map(d.content.count, self.letters))) + 0.01 * int(d.id[1:]) for d in request.candidates]
            values = [value + self.noise * self.generator.random() for value in values]
            found.append(Scores(tuple(values), {"long": float(len(request.candidates) > 3)}))
        return found


class Trainer:
    """Does what it is told to."""

    told: ClassVar[Told]

    class Settings(Settings):
        dev: tuple[float, int] | None = None
        selects: str | None = None

        def dev_split(self) -> tuple[float, int] | None:
            return self.dev

        def selects_by(self) -> str | None:
            return self.selects

    def __init__(self, settings: Settings, scorer_settings: Settings) -> None: ...

    def train(self, dataset: Dataset, out: Path, on_event: OnEvent) -> None:
        type(self).told(on_event, out)
        (out / "weights").write_text("hoặc", encoding="utf-8")


class WithQuality(Trainer):
    asked: ClassVar[list[str]] = []

    def quality(self, scorer: Scorer, dataset: Dataset) -> float:
        self.asked.append(scorer.letters)
        return 10.0 + len(scorer.letters) + len(dataset.splits["dev"]) / 100


class Broken(Trainer):
    def quality(self, scorer: Scorer, dataset: Dataset) -> float:
        raise ZeroDivisionError("no metric")


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Plugins:
    monkeypatch.setattr(WithQuality, "asked", [])
    return Plugins(
        [
            Registered(Component("toy", f"{__name__}:Scorer", ""), "scorer", "toy", "toy", "1"),
            *(
                Registered(Component(name, f"{__name__}:{kind}", ""), "trainer", "toy", "toy", "1")
                for name, kind in {"toy": "Trainer", "asks": "WithQuality", "broken": "Broken"}.items()
            ),
        ]
    )


@pytest.fixture
def tells(monkeypatch: pytest.MonkeyPatch) -> Callable[[Told], None]:
    return lambda function: monkeypatch.setattr(Trainer, "told", staticmethod(function), raising=False)


@pytest.fixture
def rooms(small_registry: Path) -> Dataset:
    return load_dataset("rooms", load_registry(small_registry).dataset("rooms"))


def toy(plugins: Plugins, trainer: str = "toy", **training: object) -> Resolved:
    return resolve(plugins, "toy", RerankerEntry(scorer="toy", trainer=trainer, training=training))


def step(number: int, loss: float | None = 1.0, **figures: float) -> TrainingEvent:
    return TrainingEvent(number, 3, loss=loss, figures=figures)


def three(on_event: OnEvent, out: Path) -> None:
    for number in (1, 2, 3):
        on_event(step(number, 1 / number, chance=1.5))
    on_event(TrainingEvent(3, 3, dev=0.5, metric="nDCG@10"))


# --- the file


def test_lines_are_on_disk_as_they_are_told(
    plugins: Plugins, rooms: Dataset, tmp_path: Path, tells: Callable[[Told], None]
) -> None:
    seen: list[list[TrainingEvent]] = []

    def look(on_event: OnEvent, out: Path) -> None:
        for number in (1, 2, 3):
            on_event(step(number, chance=1.5))
            seen.append(read_events(out / "events.jsonl"))

    tells(look)
    checkpoint = train(plugins, toy(plugins), rooms, tmp_path / "out")
    assert seen == [[step(n, chance=1.5) for n in range(1, count + 1)] for count in (1, 2, 3)]
    assert read_events(checkpoint.folder / "events.jsonl") == seen[-1]
    seconds = [line["seconds"] for line in read_lines(checkpoint.folder / "events.jsonl")]
    assert seconds == sorted(seconds)
    assert checkpoint.damage() == ""
    (checkpoint.folder / "events.jsonl").write_text("", encoding="utf-8")
    assert checkpoint.damage() == "events.jsonl is not the file that was written"


def log_of(folder: Path, *events: Any) -> EventLog:
    log = EventLog(folder, writes=True)
    listen = log.listener(lambda _: None, lambda _: None)
    try:
        for event in events:
            listen(event)
    finally:
        log.close()
    return log


FIGURES = {
    "nan": math.nan,
    "high": math.inf,
    "low": -math.inf,
    "whole": 3,
    "tiny": 5e-324,
    "like numpy's": np.float64(0.1),
}


def test_what_is_no_number_is_spelled_and_read_back(tmp_path: Path) -> None:
    log_of(tmp_path, TrainingEvent(0, 3, dev=-math.inf, figures={**FIGURES, "numpy nan": np.float64("nan")}))
    text = (tmp_path / "events.jsonl").read_text(encoding="utf-8")
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    (found,) = read_events(tmp_path / "events.jsonl")
    assert found.dev == -math.inf
    assert math.isnan(found.figures["numpy nan"])
    assert math.isnan(found.figures["nan"])
    for name in ("high", "low", "whole", "tiny", "like numpy's"):
        assert found.figures[name] == FIGURES[name]


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf, np.float64("nan")])
@pytest.mark.parametrize(("at", "mend"), [(1, "look for NaN in the base model"), (2, "lower the learning rate")])
def test_a_loss_that_is_no_number_is_written_and_ends_it(tmp_path: Path, loss: float, at: int, mend: str) -> None:
    with pytest.raises(NoNumberError, match=f"the loss is .* at step {at}; .*{mend}"):
        log_of(tmp_path, *(step(n) for n in range(1, at)), step(at, loss))
    last = read_events(tmp_path / "events.jsonl")[-1]
    assert last.step == at
    assert last.loss is not None
    assert not math.isfinite(last.loss)


@pytest.mark.parametrize("name", ["bình thường", 'quote " and \\', "a\u2028b", "a\x85b", "a\rb\nc", "\x1c", "\u202e"])
def test_names_hold_any_characters(tmp_path: Path, name: str) -> None:
    event = TrainingEvent(1, 1, dev=0.5, metric=name, figures={name: 1.0})
    log_of(tmp_path, event, step(2))
    assert read_events(tmp_path / "events.jsonl") == [event, step(2)]


def test_a_line_that_was_cut_short_is_passed_over(tmp_path: Path) -> None:
    log_of(tmp_path, step(1), step(2))
    path = tmp_path / "events.jsonl"
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        assert read_events(path) == ([] if end < first else [step(1)])


LINE = {"step": 1, "total": 3, "loss": 1.0, "dev": None, "metric": None, "trained": None, "figures": {}, "seconds": 0.1}
DAMAGES: dict[str, bytes] = {
    "no JSON": b"{\n",
    "a list": b"[]\n",
    "a number": b"7\n",
    "null": b"null\n",
    "zeros": bytes(30) + b"\n",
    "no UTF-8": b'{"step": "\xff"}\n',
    "an empty line": json.dumps(LINE).encode() + b"\n\n",
    **{f"without {n}": json.dumps({k: v for k, v in LINE.items() if k != n}).encode() + b"\n" for n in LINE},
    **{
        f"{n}: {value!r}": json.dumps({**LINE, n: value}).encode() + b"\n"
        for n, value in (("step", "x"), ("step", None), ("total", []), ("loss", "much"), ("loss", {}), ("dev", [1]))
    },
    **{
        f"{n}: {value!r}": json.dumps({**LINE, n: value}).encode() + b"\n"
        for n, value in (("figures", []), ("figures", {"a": "b"}), ("figures", {"a": None}), ("seconds", "now"))
    },
    "trained: x": json.dumps({**LINE, "trained": "x"}).encode() + b"\n",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_one_line(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(damage)
    for read in (read_events, lambda _: EventLog(tmp_path, writes=False)):
        with pytest.raises(RerankError) as error:
            read(path)
        assert str(error.value).startswith(f"{path}: no events of a training (")
        assert "\n" not in str(error.value)


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RerankError, match="no events of a training"):
        read_events(tmp_path)


@pytest.mark.parametrize("figure", ["0.5", None, True, [1.0], np.float32(1.0), 1j])
def test_figures_that_are_no_numbers_are_one_line(tmp_path: Path, figure: Any) -> None:
    with pytest.raises(RerankError, match=r"TrainingEvent\.figures\['lr'\] is .*; figures are numbers"):
        log_of(tmp_path, TrainingEvent(1, 3, loss=1.0, figures={"lr": figure}))
    assert read_events(tmp_path / "events.jsonl") == []


@pytest.mark.parametrize("event", [None, {"step": 1}, (1, 3)])
def test_what_is_no_event_is_one_line(tmp_path: Path, event: Any) -> None:
    with pytest.raises(
        RerankError, match=r"on_event was given (NoneType|dict|tuple); a trainer tells rr\.TrainingEvent"
    ):
        log_of(tmp_path, event)


def test_the_second_of_several_processes_writes_nothing(tmp_path: Path) -> None:
    log = EventLog(tmp_path, writes=False)
    log.listener(lambda _: None, lambda _: None)(step(1))
    log.close()
    assert list(tmp_path.iterdir()) == []


# --- where it stands


def statuses(folder: Path, *events: TrainingEvent) -> list[str]:
    said: list[str] = []
    log = EventLog(folder, writes=False)
    listen = log.listener(lambda _: None, said.append)
    for event in events:
        listen(event)
    return said


def test_the_status_line_tells_where_it_stands(tmp_path: Path) -> None:
    said = statuses(
        tmp_path,
        TrainingEvent(0, 142, dev=0.25, metric="m"),
        TrainingEvent(83, 142, loss=1.61),
        TrainingEvent(84, 142, loss=1.5678, figures={"chance": 1.6094}),
        TrainingEvent(84, 142, dev=0.4519, metric="m"),
        TrainingEvent(85, 142, loss=12345.678),
        TrainingEvent(86, 142, dev=0.44, metric="m"),
    )
    assert [line.partition(" · ETA ")[0] for line in said] == [
        "0/142 · dev .250",
        "83/142 · loss 1.61 · dev .250",
        "84/142 · loss 1.57 (chance 1.61) · dev .250",
        "84/142 · loss 1.57 (chance 1.61) · dev .452 best .452",
        "85/142 · loss 1.23e+04 · dev .452 best .452",
        "86/142 · loss 1.23e+04 · dev .440 best .452",
    ]


def test_the_status_line_tells_when_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the pace of this sitting: a resumed one begins at the step that it goes on from, or tells the others again."""
    now, said = [100.0], list[str]()
    monkeypatch.setattr("rr_bench.train.events.time", SimpleNamespace(perf_counter=lambda: now[0]))
    listen = EventLog(tmp_path, writes=False).listener(lambda _: None, said.append)
    for step in (51, 52, 54, 143):
        now[0] += 2.0
        listen(TrainingEvent(step, 143, loss=1.0))
    assert said == ["51/143 · loss 1", "52/143 · loss 1 · ETA 3:02", "54/143 · loss 1 · ETA 1:59", "143/143 · loss 1"]


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (41, "0:41"), (725, "12:05"), (3729, "1:02:09")])
def test_a_time_is_told_as_clocks_do(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("dev", "text"),
    [
        (0.0, ".000"),
        (1.0, "1.000"),
        (-0.25, "-.250"),
        (-0.0, "-.000"),
        (10.0, "10.000"),
        (50.5, "50.500"),
        (-20.1, "-20.100"),
    ],
)
def test_a_dev_figure_is_told_as_it_is(tmp_path: Path, dev: float, text: str) -> None:
    assert statuses(tmp_path, TrainingEvent(1, 2, dev=dev)) == [f"1/2 · dev {text} best {text}"]


def test_progress_is_given_the_status(
    plugins: Plugins, rooms: Dataset, tmp_path: Path, tells: Callable[[Told], None]
) -> None:
    said: list[str] = []

    class Shown(Progress):
        def status(self, text: str) -> None:
            said.append(text)

    tells(three)
    train(plugins, toy(plugins), rooms, tmp_path / "out", progress=Shown())
    assert said[-1] == "3/3 · loss 0.333 (chance 1.5) · dev .500 best .500"


# --- what stays of a training that fails


def fails(error: BaseException | None = None, event: TrainingEvent | None = None) -> Told:
    def tell(on_event: OnEvent, out: Path) -> None:
        on_event(step(1))
        if event is not None:
            on_event(event)
        assert error is not None
        raise error

    return tell


FAILURES: dict[str, tuple[Told, type[RerankError], str, int]] = {
    "an error of its own": (fails(RerankError("there is nothing to train")), RerankError, "nothing to train", 1),
    "a crash": (fails(ZeroDivisionError("by 0")), PluginError, "training of 'toy' broke: ZeroDivisionError: by 0", 1),
    "an exit": (fails(SystemExit(3)), PluginError, "SystemExit", 1),
    "NaN": (fails(event=step(2, math.nan)), NoNumberError, "the loss is nan at step 2", 2),
    "no event": (fails(event=7), RerankError, "on_event was given int", 1),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("case", FAILURES)
def test_what_a_failed_training_told_is_kept_until_one_succeeds(
    plugins: Plugins, rooms: Dataset, tmp_path: Path, tells: Callable[[Told], None], case: str
) -> None:
    tell, error, text, events = FAILURES[case]
    out = tmp_path / "work" / "mine"
    tells(tell)
    for _ in range(2):  # the record of the last one is kept
        with pytest.raises(error, match=text):
            train(plugins, toy(plugins), rooms, out)
        failed = failed_folder(out)
        assert failed == out.with_name(".mine.failed")
        assert sorted(path.name for path in failed.iterdir()) == ["events.jsonl", "failure.json"]
        assert len(read_events(failed / "events.jsonl")) == events
    record = json.loads((failed / "failure.json").read_text(encoding="utf-8"))
    assert text in record["error"]
    assert (record["no_number"], record["unchanged"]) == (case == "NaN", False)
    assert (record["reranker"], record["data"]["name"]) == ("toy", "rooms")
    for path in (out, failed):
        evidence = of_path(path)
        assert text in evidence.error
        assert len(evidence.events) == events
    tells(three)
    train(plugins, toy(plugins), rooms, out)
    assert [path.name for path in out.parent.iterdir()] == ["mine"]
    assert of_path(out).error == ""


def test_a_checkpoint_that_changes_nothing_says_so(
    plugins: Plugins, rooms: Dataset, tmp_path: Path, tells: Callable[[Told], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scorer, "reads", False)
    tells(three)
    with pytest.raises(PluginError, match="exactly as the untrained model does"):
        train(plugins, toy(plugins), rooms, tmp_path / "mine")
    assert of_path(tmp_path / "mine").record["unchanged"] is True
    assert len(of_path(tmp_path / "mine").events) == 4


def dev_from_to(on_event: OnEvent, before: float, after: float, metric: str = "nDCG@10") -> None:
    for event in (TrainingEvent(0, 1, dev=before, metric=metric), TrainingEvent(1, 1, loss=1.0)):
        on_event(event)
    on_event(TrainingEvent(1, 1, dev=after, metric=metric))


DEV_TOLD = {
    "it learned": ((0.5, 0.7), "the untrained model does: see that its trainer saves .* the learning rate is not 0$"),
    "no number": ((0.5, math.nan), "the untrained model does: see that its trainer saves"),
    "it learned nothing": (
        (0.5, 0.5),
        "nothing was better: dev nDCG@10 0.5000 before the first step, 0.5000 at best after it; see that its trainer "
        "saves .* neither 0 nor too high; or give it more dev queries, or no training",
    ),
}


@pytest.mark.parametrize("case", DEV_TOLD)
def test_a_checkpoint_that_changes_nothing_says_what_the_dev_figures_were(
    plugins: Plugins,
    rooms: Dataset,
    tmp_path: Path,
    tells: Callable[[Told], None],
    monkeypatch: pytest.MonkeyPatch,
    case: str,
) -> None:
    figures, text = DEV_TOLD[case]
    monkeypatch.setattr(Scorer, "reads", False)
    tells(lambda on_event, out: dev_from_to(on_event, *figures))
    with pytest.raises(PluginError, match=text):
        train(plugins, toy(plugins), rooms, tmp_path / "mine")
    assert of_path(tmp_path / "mine").record["unchanged"] is True


@pytest.mark.parametrize("metric", ["nDCG@10", "RR", "its own"])
@pytest.mark.parametrize("missed", [False, True])
def test_a_training_that_begins_with_all_of_dev_right_is_no_fault_of_its_trainer(
    plugins: Plugins,
    rooms: Dataset,
    tmp_path: Path,
    tells: Callable[[Told], None],
    monkeypatch: pytest.MonkeyPatch,
    metric: str,
    missed: bool,
) -> None:
    """All that there is to find: the first stage may have `missed` what a dev query asks for."""
    monkeypatch.setattr(Scorer, "reads", False)
    highest = 1.0
    if missed and metric != "its own":
        first, *others = rooms.splits["dev"]
        found = tuple(id_ for id_ in rooms.candidates[first] if not rooms.qrels[first].get(id_))
        rooms = replace(rooms, candidates={**rooms.candidates, first: found}, first_stage={})
        highest = len(others) / (1 + len(others))
    tells(lambda on_event, out: dev_from_to(on_event, highest, highest, metric))
    with pytest.raises(RerankError, match="no order of their candidates is better") as caught:
        train(plugins, toy(plugins), rooms, tmp_path / "mine")
    line = str(caught.value)
    assert not isinstance(caught.value, PluginError)
    assert "exactly as the untrained model does" in line
    assert f"dev {metric} {highest:.4f} before the first step, {highest:.4f} at best after it" in line
    assert line.endswith("give it more or harder dev queries, or no training (checkpoint: none)")
    assert not (tmp_path / "mine").exists()
    evidence = of_path(tmp_path / "mine")
    assert (evidence.error, evidence.record["unchanged"]) == (line, False)


@pytest.mark.parametrize("damage", [b"", b"{}", b"[]", b"\xff", b'{"error": "x", "sha256": "0"}'])
def test_a_damaged_record_of_a_failure_is_one_line(
    plugins: Plugins, rooms: Dataset, tmp_path: Path, tells: Callable[[Told], None], damage: bytes
) -> None:
    tells(fails(RerankError("no")))
    with pytest.raises(RerankError):
        train(plugins, toy(plugins), rooms, tmp_path / "mine")
    file = failed_folder(tmp_path / "mine") / "failure.json"
    file.write_bytes(damage)
    with pytest.raises(RerankError, match=f"{file}: cannot be read .*; delete {file.parent}, and train again"):
        of_path(tmp_path / "mine")


def test_an_interrupted_training_keeps_its_events_and_their_seconds(
    plugins: Plugins, rooms: Dataset, tmp_path: Path, tells: Callable[[Told], None]
) -> None:
    def interrupted(on_event: OnEvent, out: Path) -> None:
        on_event(step(1))
        on_event(TrainingEvent(1, 3, dev=0.5))
        time.sleep(0.05)
        on_event(step(2))
        signal.raise_signal(signal.SIGINT)

    out = tmp_path / "mine"
    tells(interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(plugins, toy(plugins), rooms, out)
    partial = tmp_path / ".mine.partial" / "events.jsonl"
    first = read_lines(partial)
    assert [(line["step"], line["loss"] is None) for line in first] == [(1, False), (1, True), (2, False)]
    assert not failed_folder(out).exists()
    assert list(of_path(out).events) == read_events(partial)

    def again(on_event: OnEvent, out: Path) -> None:
        time.sleep(0.02)
        for event in (step(1), TrainingEvent(1, 3, dev=0.5), step(2), step(3), TrainingEvent(3, 3, dev=0.6)):
            on_event(event)

    tells(again)
    train(plugins, toy(plugins), rooms, out)
    lines = read_lines(out / "events.jsonl")
    assert [line["seconds"] for line in lines[:3]] == [line["seconds"] for line in first]
    assert all(line["seconds"] >= first[-1]["seconds"] + 0.02 for line in lines[3:])
    assert [path.name for path in out.parent.iterdir() if "mine" in path.name] == ["mine"]


# --- what it left, asked again


def dev_figure(dataset: Dataset, letters: str, name: str) -> float:
    """Of a scorer with these weights, on the dev split."""
    scorer = Scorer(Settings())
    scorer.letters = letters
    requests = dataset.requests("dev")
    scores = scorer.score(requests)
    run = {
        r.query.id: {d.id: s for d, s in zip(r.candidates, one.values, strict=True)}
        for r, one in zip(requests, scores, strict=True)
    }
    return fmean(evaluate(run, dataset.qrels, tuple(run), metric(name)))


def reload(
    plugins: Plugins, dataset: Dataset, out: Path, trainer: str = "toy", **training: object
) -> Mapping[str, Any]:
    found: Mapping[str, Any] = train(plugins, toy(plugins, trainer, **training), dataset, out).record["reload"]
    return found


def measured(name: str | None, start: float | None = None) -> Told:
    def tell(on_event: OnEvent, out: Path) -> None:
        if start is not None:
            on_event(TrainingEvent(0, 1, dev=start, metric=name))
        on_event(TrainingEvent(1, 1, loss=1.0))
        on_event(TrainingEvent(1, 1, dev=0.5, metric=name))

    return tell


@pytest.mark.parametrize("name", ["nDCG@10", "MRR@10", "Recall@1", "nDCG@2"])
def test_the_checkpoint_is_asked_the_metric_that_it_was_selected_by(
    plugins: Plugins, rooms: Dataset, tmp_path: Path, tells: Callable[[Told], None], name: str
) -> None:
    tells(measured(name))
    found = reload(plugins, rooms, tmp_path / "out")
    assert found["metric"] == name
    assert found["found"] == pytest.approx(dev_figure(rooms, "hoặc", name))
    assert found["base"] == pytest.approx(dev_figure(rooms, "", name))
    assert found["twice"] == 0
    assert found["queries"] == len(rooms.splits["dev"]) == sum(found["chosen"])
    assert found["diagnostics"]["long"] == 1.0
    assert found["spread"] > 0


def test_what_the_trainer_told_of_its_start_is_the_base(
    plugins: Plugins, rooms: Dataset, tmp_path: Path, tells: Callable[[Told], None]
) -> None:
    tells(measured("MRR@10", start=0.125))
    assert reload(plugins, rooms, tmp_path / "out")["base"] == 0.125


@pytest.mark.parametrize("name", [None, "hit rate of mine"])
def test_a_metric_that_nobody_knows_is_not_compared(
    plugins: Plugins, rooms: Dataset, tmp_path: Path, tells: Callable[[Told], None], name: str | None
) -> None:
    tells(measured(name, start=77.0))
    found = reload(plugins, rooms, tmp_path / "out")
    assert found["metric"] == "nDCG@10"
    assert found["found"] == pytest.approx(dev_figure(rooms, "hoặc", "nDCG@10"))
    assert found["base"] == pytest.approx(dev_figure(rooms, "", "nDCG@10"))


def test_a_trainer_tells_a_metric_of_its_own(
    plugins: Plugins, rooms: Dataset, tmp_path: Path, tells: Callable[[Told], None]
) -> None:
    tells(measured("hit rate of mine"))
    found = reload(plugins, rooms, tmp_path / "out", "asks")
    share = len(rooms.splits["dev"]) / 100
    assert (found["metric"], found["found"], found["base"]) == ("hit rate of mine", 14 + share, 10 + share)
    assert sorted(WithQuality.asked) == ["", "hoặc"]


def test_a_known_metric_is_not_asked_of_the_trainer(
    plugins: Plugins, rooms: Dataset, tmp_path: Path, tells: Callable[[Told], None]
) -> None:
    tells(measured("MRR@10"))
    assert reload(plugins, rooms, tmp_path / "out", "asks")["found"] <= 1
    assert WithQuality.asked == []


def test_a_quality_that_breaks_is_one_line(
    plugins: Plugins, rooms: Dataset, tmp_path: Path, tells: Callable[[Told], None]
) -> None:
    tells(measured("hit rate of mine"))
    with pytest.raises(PluginError, match=r"the trainer's quality\(\) broke: ZeroDivisionError: no metric"):
        train(plugins, toy(plugins, "broken"), rooms, tmp_path / "out")


def test_a_dev_split_of_the_trainings_own_is_what_is_asked(
    plugins: Plugins, rooms: Dataset, tmp_path: Path, tells: Callable[[Told], None]
) -> None:
    from rr.data import with_dev_share

    tells(measured("MRR@10"))
    own = with_dev_share(rooms, 0.5, 3)
    assert set(own.splits["dev"]) != set(rooms.splits["dev"])
    found = reload(plugins, rooms, tmp_path / "out", dev=(0.5, 3))
    assert found["queries"] == len(own.splits["dev"]) == sum(found["chosen"])
    assert found["found"] == pytest.approx(dev_figure(own, "hoặc", "MRR@10"))


def test_chosen_counts_places_among_the_candidates(
    plugins: Plugins, rooms: Dataset, tmp_path: Path, tells: Callable[[Told], None]
) -> None:
    tells(measured("MRR@10"))
    found = reload(plugins, rooms, tmp_path / "out")
    scorer = Scorer(Settings())
    scorer.letters = "hoặc"
    counts = [0] * len(found["chosen"])
    for request in rooms.requests("dev"):
        values = scorer.score([request])[0].values
        best = max(range(len(values)), key=lambda place: values[place])
        counts[rooms.candidates[request.query.id].index(request.candidates[best].id)] += 1
    assert found["chosen"] == counts


def test_a_random_scorer_is_found_out(
    plugins: Plugins, rooms: Dataset, tmp_path: Path, tells: Callable[[Told], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scorer, "noise", 0.5)
    tells(measured("MRR@10"))
    assert reload(plugins, rooms, tmp_path / "out")["twice"] > 1e-3


def test_fields_of_a_line_are_those_of_an_event() -> None:
    assert {*told.FIELDS, "seconds"} == set(LINE)
