"""A training that is killed goes on bit by bit: the real command, real SIGKILLs, a tiny Qwen with dropout."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from safetensors.torch import load_file

LETTERS = """
  letters:
    scorer: letters
    trainer: letters
    settings: {{model: {model}}}
    training: {{epochs: 6, batch_size: 2, lr: 0.003, lora_dropout: 0.2, eval_steps: 5, save_steps: 1}}
"""


@pytest.fixture
def registry(small_registry: Path, qwen: Callable[[str], Path]) -> Path:
    entry = LETTERS.format(model=qwen("qwen3"))
    small_registry.write_text(small_registry.read_text(encoding="utf-8") + entry, encoding="utf-8")
    return small_registry


LAUNCHER = """
import os, sys
import rr_letters.scorer, rr_letters.trainer  # takes ten times as long as a training: once for all
from rr_bench.cli import main

for line in sys.stdin:
    child = os.fork()
    if not child:
        os.dup2(2, 1)
        sys.argv = ["rr", *line.split()]
        main()
        sys.exit()
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Launcher:
    """Runs the command in one process after the other, each of which can be killed."""

    def __init__(self, log: Path) -> None:
        self.log = log
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with log.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-c", LAUNCHER],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                encoding="utf-8",
            )

    def start(self, *arguments: str | Path) -> int:
        """The process that runs `rr` with these arguments."""
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(map(str, arguments)) + "\n")
        self.process.stdin.flush()
        return self._told()

    def end(self) -> int:
        """Its exit code; that of a killed one is negative."""
        return self._told()

    def _told(self) -> int:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        return int(line)


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[Launcher]:
    made = Launcher(tmp_path / "log")
    yield made
    made.process.kill()
    made.process.communicate()


def newest(folder: Path) -> int:
    """The step of the newest state, 0 where there is none."""
    return max((int(path.stem.removeprefix("state-")) for path in folder.glob("state/state-*.safetensors")), default=0)


def test_a_training_that_is_killed_again_and_again_ends_as_one_that_was_not(
    registry: Path, launcher: Launcher, tmp_path: Path
) -> None:
    train = ("train", "letters", "-d", "rooms", "--registry", registry, "--out")
    whole, out, partial = tmp_path / "whole", tmp_path / "killed", tmp_path / ".killed.partial"
    launcher.start(*train, whole)
    assert launcher.end() == 0, launcher.log.read_text()
    steps = sum('"dev": null' in line for line in (whole / "events.jsonl").read_text().splitlines())
    assert steps == 18
    reached = [0]
    for moment in (0, 2, 6, 11):  # the first before anything is kept
        process = launcher.start(*train, out)
        deadline = time.monotonic() + 60
        while not partial.is_dir() or newest(partial) < moment:
            assert time.monotonic() < deadline, launcher.log.read_text()
            time.sleep(0.001)
        os.kill(process, signal.SIGKILL)
        assert launcher.end() == -signal.SIGKILL, launcher.log.read_text()
        assert not out.exists()
        reached.append(newest(partial))
    assert reached == sorted(reached)
    assert 2 <= reached[2] < reached[3] < reached[4] < steps
    launcher.start(*train, out)
    assert launcher.end() == 0, launcher.log.read_text()
    assert not partial.exists()
    names = sorted(path.name for path in whole.iterdir())
    assert sorted(path.name for path in out.iterdir()) == names
    assert {"adapter_model.safetensors", "events.jsonl"} < set(names)
    assert timeless(out / "events.jsonl") == timeless(whole / "events.jsonl")
    for name in set(names) - {"training_info.json", "events.jsonl"}:  # they tell the seconds
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name
    weights = load_file(out / "adapter_model.safetensors")
    assert any(value.abs().max() > 0 for name, value in weights.items() if "lora_B" in name), "it has learned nothing"


def timeless(path: Path) -> list[dict[str, object]]:
    """The lines of a log of events without their seconds, which never run backwards."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    seconds = [line.pop("seconds") for line in lines]
    assert seconds == sorted(seconds)
    return lines
