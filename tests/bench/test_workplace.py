"""Where checkpoints are made: what stays after an interrupt, an error, a kill; who waits for whom; what is seen."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from rr import Component, Dataset, ModelInfo, OnEvent, Request, RerankError, Settings, TrainingEvent
from rr.errors import PluginError
from rr.files import write_atomic
from rr.files.kept import with_checksum
from rr.registry.plugins import Plugins, Registered
from rr_bench.code import code_fingerprint
from rr_bench.data.load import load_dataset
from rr_bench.registry import load_registry
from rr_bench.resolve import Resolved, resolve
from rr_bench.schema import RerankerEntry
from rr_bench.train.checkpoints import open_checkpoint
from rr_bench.train.events import read_events
from rr_bench.train.failures import failed_folder
from rr_bench.train.training import checkpoint_folder, train
from rr_bench.train.workplace import workplace


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of the checkpoint; nothing else is in its folder."""
    return tmp_path / "work" / "checkpoint"


def hidden(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial")


def entered(path: Path, key: str = "key") -> Any:
    """For mypy: whether there is work to do is what the test is about."""
    return workplace(path, key)


def work_until(error: type[BaseException], path: Path, key: str = "key", seconds: float = 0.0) -> None:
    with entered(path, key) as work, work.clock():
        state = work.folder / "state"
        state.mkdir(exist_ok=True)
        (state / "kept").write_text(key)
        work.write("half.txt", "half")
        (work.folder / "half-a-folder").mkdir()
        (work.folder / "half-a-folder" / "file").write_text("half")
        time.sleep(seconds)
        raise error


def interrupted(path: Path, key: str = "key", seconds: float = 0.0) -> None:
    with pytest.raises(KeyboardInterrupt):
        work_until(KeyboardInterrupt, path, key, seconds)


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# --- the workplace


def test_an_interrupt_leaves_the_work_and_the_next_one_finds_its_state_alone(path: Path) -> None:
    interrupted(path)
    assert not path.exists()
    assert "half.txt" in listing(hidden(path))
    with entered(path) as work:
        assert work.folder == hidden(path)
        assert listing(work.folder) == ["state", "state/kept", "workplace.json"]
        work.write("whole.txt", "whole")
        work.publish()
    assert listing(path.parent) == ["checkpoint", "checkpoint/whole.txt"]


def test_an_error_that_would_come_again_removes_the_work(path: Path) -> None:
    interrupted(path)
    with pytest.raises(RerankError):
        work_until(RerankError, path)
    assert listing(path.parent) == []


@pytest.mark.parametrize("error", [PluginError, MemoryError, OSError])
def test_a_crash_leaves_the_state(path: Path, error: type[Exception]) -> None:
    with pytest.raises(error):
        work_until(error, path)
    with entered(path) as work:
        assert (work.folder / "state" / "kept").read_text() == "key"


@pytest.mark.parametrize("kept", [True, False])
def test_work_that_was_killed_while_it_was_published_is_published(path: Path, kept: bool) -> None:
    """The first thing that publishing removes is the state: whatever is gone by then, the work is not done again."""
    with entered(path) as work:
        (work.folder / "state").mkdir()
        work.write("whole.txt", "whole")
        work.publish()
    path.rename(hidden(path))
    write_atomic(
        hidden(path) / "workplace.json", json.dumps(with_checksum({"key": "key", "seconds": 1.0, "finished": True}))
    )
    if kept:
        (hidden(path) / "state").mkdir()
    with entered(path) as work:
        assert work is None
    assert listing(path.parent) == ["checkpoint", "checkpoint/whole.txt"]


def test_work_of_another_key_is_refused_in_one_line_and_left_alone(path: Path) -> None:
    interrupted(path, "one")
    before = listing(hidden(path))
    with pytest.raises(RerankError) as error, entered(path, "two"):
        pytest.fail("was let in")
    assert str(error.value) == (
        f"{hidden(path)} holds an interrupted training of other settings, data or code; "
        "delete it, or name another --out"
    )
    assert listing(hidden(path)) == before
    with entered(path, "one") as work:
        assert (work.folder / "state" / "kept").read_text() == "one"


def test_a_state_of_which_nobody_knows_the_key_is_not_gone_on_from(path: Path) -> None:
    interrupted(path, "one")
    (hidden(path) / "workplace.json").unlink()
    with entered(path, "two") as work:
        assert listing(work.folder) == ["workplace.json"]


def test_seconds_of_earlier_sittings_are_added(path: Path) -> None:
    started = time.perf_counter()
    for _ in range(2):
        interrupted(path, seconds=0.2)
    time.sleep(0.3)  # nobody works
    with entered(path) as work, work.clock() as elapsed:
        time.sleep(0.1)
        assert 0.5 <= elapsed() <= time.perf_counter() - started - 0.3


def test_what_is_finished_is_not_worked_on_again(path: Path) -> None:
    path.mkdir(parents=True)
    with entered(path) as work:
        assert work is None
    assert listing(path.parent) == ["checkpoint"]


def test_only_the_first_of_several_processes_writes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    for _ in range(2):
        with entered(path) as work, work.clock() as elapsed:
            work.write("file", "content")
            work.publish()
            assert elapsed() >= 0
    with pytest.raises(ValueError, match="broken"), entered(path) as work:
        raise ValueError("broken")
    assert listing(path.parent) == []
    monkeypatch.setenv("RANK", "0")
    interrupted(path)
    before = {name: (hidden(path) / name).stat().st_mtime_ns for name in listing(hidden(path))}
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(ValueError, match="broken"), entered(path) as work, work.clock():
        raise ValueError("broken")
    assert {name: (hidden(path) / name).stat().st_mtime_ns for name in listing(hidden(path))} == before


def test_nobody_ever_sees_half_of_it(tmp_path: Path) -> None:
    seen: list[tuple[str, ...]] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            for number in range(20):
                path = tmp_path / f"c{number}"
                if path.is_dir():
                    seen.append(tuple(listing(path)))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        for number in range(20):
            path = tmp_path / f"c{number}"
            with entered(path) as work:
                (work.folder / "state").mkdir()
                (work.folder / "state" / "kept").write_text("")
                for name in "abcdef":
                    assert not path.exists()
                    work.write(name, "x" * 10_000)
                work.publish()
        time.sleep(0.05)
    finally:
        done.set()
        watcher.join()
    # the note goes last, so that a kill before the end is known to have been at the end
    assert {tuple(name for name in names if name != "workplace.json") for names in seen} == {tuple("abcdef")}


Worker = Callable[[str], subprocess.Popen[str]]

WORKER = """
import sys, time
from pathlib import Path
from rr_bench.train.workplace import workplace

path, name = Path(sys.argv[1]), sys.argv[2]
with workplace(path, "key") as work:
    if work is None:
        print(name, "found", (path / "by.txt").read_text(), flush=True)
        sys.exit()
    (work.folder / "state").mkdir(exist_ok=True)
    print(name, "works", flush=True)
    sys.stdin.readline()
    work.write("by.txt", name)
    work.publish()
    print(name, "published", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def worker(path: Path) -> Any:
    """Starts processes that work for `path` until they are sent a line, and ends them."""
    running: list[subprocess.Popen[str]] = []

    def start(name: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", WORKER, str(path), name]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_of_two_at_once_the_second_waits_and_finds_it_done(worker: Worker) -> None:
    first = worker("first")
    assert said(first) == "first works"
    second = worker("second")
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(1.5)
    tell(first)
    assert said(first) == "first published"
    tell(first)
    assert said(second) == "second found first"
    assert second.wait(10) == 0


def test_after_a_kill_the_one_that_waits_goes_on(path: Path, worker: Worker) -> None:
    first = worker("first")
    assert said(first) == "first works"
    second = worker("second")
    first.send_signal(signal.SIGKILL)
    assert said(second) == "second works"
    assert listing(hidden(path)) == ["state", "workplace.json"]
    assert not path.exists()
    tell(second)
    assert said(second) == "second published"


# --- a training in it


class Scorer:
    info = ModelInfo("logit")

    def __init__(self, settings: Settings, checkpoint: Path | None = None) -> None:
        self._weights = (checkpoint / "weights").read_text() if checkpoint else ""

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        return [[float(len(self._weights))] * len(request.candidates) for request in requests]


class Trainer:
    """Three steps, each of which it notes in its state, and from which it goes on; does in a step what it is told."""

    in_step: ClassVar[dict[int, Callable[[Path], object]]] = {}
    found: ClassVar[list[list[str]]] = []
    """What was in `out` when it was called."""

    class Settings(Settings):
        rate: float = 1.0

    def __init__(self, settings: Settings, scorer_settings: Settings) -> None: ...

    def train(self, dataset: Dataset, out: Path, on_event: OnEvent) -> None:
        self.found.append(listing(out))
        steps = out / "state" / "steps"
        steps.parent.mkdir(exist_ok=True)
        done = int(steps.read_text()) if steps.is_file() else 0
        for step in range(1, 4):
            if step > done:
                self.in_step.get(step, lambda out: None)(out)
            on_event(TrainingEvent(step, 3, loss=1 / step))
            steps.write_text(str(max(step, done)))
        on_event(TrainingEvent(3, 3, dev=0.5))
        (out / "weights").write_text("weights")


def interrupt(out: Path) -> None:
    (out / "weights").write_text("half")
    signal.raise_signal(signal.SIGINT)  # as Ctrl-C does: what a plugin raises itself is its own failure


def breaks(out: Path) -> None:
    raise ZeroDivisionError("no data")


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Plugins:
    monkeypatch.setattr(Trainer, "in_step", {})
    monkeypatch.setattr(Trainer, "found", [])
    return Plugins(
        [
            Registered(Component("toy", f"{__name__}:Scorer", ""), "scorer", "toy", "toy", "1"),
            Registered(Component("toy", f"{__name__}:Trainer", ""), "trainer", "toy", "toy", "1"),
        ]
    )


@pytest.fixture
def rooms(small_registry: Path) -> Dataset:
    return load_dataset("rooms", load_registry(small_registry).dataset("rooms"))


def toy(plugins: Plugins, **training: object) -> Resolved:
    return resolve(plugins, "toy", RerankerEntry(scorer="toy", trainer="toy", training=training))


@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("named", [True, False], ids=["out", "store"])
def test_an_interrupted_training_goes_on(
    plugins: Plugins, rooms: Dataset, tmp_path: Path, step: int, named: bool
) -> None:
    out = tmp_path / "out" / "mine" if named else None
    folder = out or checkpoint_folder(plugins, toy(plugins), rooms)
    Trainer.in_step[step] = interrupt
    with pytest.raises(KeyboardInterrupt):
        train(plugins, toy(plugins), rooms, out)
    assert not folder.exists()
    assert (hidden(folder) / "weights").is_file()
    Trainer.in_step.clear()
    checkpoint = train(plugins, toy(plugins), rooms, out)
    state = ["state", *(["state/steps"] if step > 1 else [])]
    assert Trainer.found == [["events.jsonl", "workplace.json"], ["events.jsonl", *state, "workplace.json"]]
    assert listing(folder.parent) == [
        folder.name,
        *(f"{folder.name}/{name}" for name in ("events.jsonl", "training_info.json", "weights")),
    ]
    assert checkpoint == open_checkpoint(folder)
    record = json.loads((folder / "training_info.json").read_text(encoding="utf-8"))
    assert record["steps"] == 3
    losses = [json.loads(line)["loss"] for line in (folder / "events.jsonl").read_text().splitlines()]
    assert losses == [1.0, 0.5, 1 / 3, None]


def test_a_broken_training_leaves_nothing_to_be_seen(plugins: Plugins, rooms: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "out" / "mine"
    Trainer.in_step[2] = breaks
    with pytest.raises(PluginError, match="training of 'toy' broke: ZeroDivisionError: no data"):
        train(plugins, toy(plugins), rooms, out)
    assert sorted(path.name for path in out.parent.iterdir()) == [".mine.failed", ".mine.partial"]
    assert listing(failed_folder(out)) == ["events.jsonl", "failure.json"]
    assert len(read_events(failed_folder(out) / "events.jsonl")) == 1
    Trainer.in_step.clear()
    assert train(plugins, toy(plugins), rooms, out).folder == out
    assert [path.name for path in out.parent.iterdir()] == ["mine"]


def test_an_interrupted_training_of_other_settings_is_not_gone_on_from(
    plugins: Plugins, rooms: Dataset, tmp_path: Path
) -> None:
    out = tmp_path / "out" / "mine"
    Trainer.in_step[2] = interrupt
    with pytest.raises(KeyboardInterrupt):
        train(plugins, toy(plugins), rooms, out)
    Trainer.in_step.clear()
    with pytest.raises(RerankError, match="holds an interrupted training of other settings, data or code"):
        train(plugins, toy(plugins, rate=2.0), rooms, out)
    assert train(plugins, toy(plugins), rooms, out).folder == out


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch], ids=["folder", "file"])
def test_an_out_that_exists_is_refused_before_anything_is_trained(
    plugins: Plugins, rooms: Dataset, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "mine")
    with pytest.raises(RerankError, match="mine exists already; delete it, or name another --out"):
        train(plugins, toy(plugins), rooms, tmp_path / "mine")
    assert Trainer.found == []


def test_a_changed_trainer_is_another_key(
    plugins: Plugins, rooms: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trainer may come from another distribution than the scorer of its checkpoints."""
    module = tmp_path / "modules" / "rr_toy_trainer.py"
    module.parent.mkdir()
    monkeypatch.syspath_prepend(str(module.parent))
    theirs = Registered(Component("theirs", "rr_toy_trainer:Trainer", ""), "trainer", "theirs", "theirs", "1")
    both = Plugins([*plugins.components, theirs])
    entry = resolve(both, "toy", RerankerEntry(scorer="toy", trainer="theirs"))
    folders = []
    for version in ("1", "2", "1"):
        module.write_text(f"class Trainer:\n    version = {version}\n", encoding="utf-8")
        code_fingerprint.cache_clear()
        folders.append(checkpoint_folder(both, entry, rooms))
    assert folders[0] == folders[2] != folders[1]
