"""Two processes that train one model together, as `accelerate launch` starts them, against one alone."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from rr.registry.plugins import discover
from rr_bench.data.load import load_dataset
from rr_bench.progress import SILENT, Progress
from rr_bench.registry import load_registry
from rr_bench.resolve import resolve
from rr_bench.train.events import EVENTS
from rr_bench.train.training import Checkpoint, train

LETTERS = """
  letters:
    scorer: letters
    trainer: letters
    settings: {{model: {model}}}
    training: {{epochs: 6, batch_size: 1, gradient_accumulation_steps: 5, lr: 0.003, lora_dropout: 0,
               eval_steps: 100, save_steps: 2}}
"""

WORKER = """
import sys
import torch
from rr_bench.cli import main

assert torch.get_num_threads() == 1
for arguments in sys.argv[1:]:
    sys.argv = ["rr", *arguments.split()]
    try:
        main()
    except SystemExit as ended:
        assert not ended.code
"""


@pytest.fixture
def registry(small_registry: Path, qwen: Callable[[str], Path]) -> Path:
    entry = LETTERS.format(model=qwen("qwen3"))
    small_registry.write_text(small_registry.read_text(encoding="utf-8") + entry, encoding="utf-8")
    return small_registry


def alone(registry: Path, out: Path, progress: Progress = SILENT) -> Checkpoint:
    found, plugins = load_registry(registry), discover()
    resolved = resolve(plugins, "letters", found.reranker("letters"))
    return train(plugins, resolved, load_dataset("rooms", found.dataset("rooms")), out, progress)


class Interrupt:
    """Stops a training at a step."""

    def __init__(self, step: int) -> None:
        self._left = step

    @contextmanager
    def task(self, description: str, total: int | None) -> Iterator[Callable[[int], None]]:
        def advance(units: int) -> None:
            self._left -= units
            if not self._left:
                signal.raise_signal(signal.SIGINT)  # as Ctrl-C does

        yield advance

    def status(self, text: str) -> None: ...


def together(processes: int, script: Path, *commands: str) -> subprocess.CompletedProcess[str]:
    """Runs `rr` commands, one after the other, in processes that were launched together."""
    script.write_text(WORKER, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # accelerate's --multi_gpu starts processes of any kind; its --cpu starts one, whatever --num_processes says
    launch = "--multi_gpu --num_machines 1 --mixed_precision no --dynamo_backend no --main_process_ip 127.0.0.1"
    counted = ["--num_processes", str(processes), "--main_process_port", str(port)]
    return subprocess.run(
        [sys.executable, "-m", "accelerate.commands.launch", *launch.split(), *counted, str(script), *commands],
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        encoding="utf-8",
        timeout=180,
    )


def test_two_processes_train_what_one_would(registry: Path, tmp_path: Path) -> None:
    """Also where one was killed and two go on. The last step of each epoch has a single item, and one process none."""
    one, two, continued = tmp_path / "one", tmp_path / "two", tmp_path / "continued"
    alone(registry, one)
    with pytest.raises(KeyboardInterrupt):
        alone(registry, continued, Interrupt(5))
    assert (tmp_path / ".continued.partial" / "state" / "state-000000004.safetensors").is_file()
    command = f"train letters -d rooms --registry {registry} --out "
    ended = together(2, tmp_path / "worker.py", command + str(two), command + str(continued))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"{two}\n{continued}\n"
    assert ended.stderr.count("best dev") == 2
    assert ended.stderr.count("rooms: training letters") <= 2
    assert "Traceback" not in ended.stderr
    assert not list(tmp_path.glob(".*.partial"))
    expected = load_file(one / "adapter_model.safetensors")
    names = sorted(path.name for path in one.iterdir())
    for folder in (two, continued):
        assert sorted(path.name for path in folder.iterdir()) == names
        weights = load_file(folder / "adapter_model.safetensors")
        assert weights.keys() == expected.keys()
        for name, weight in expected.items():
            torch.testing.assert_close(weights[name], weight, rtol=0, atol=1e-5)
        assert losses(folder) == pytest.approx(losses(one), abs=1e-4)
    assert max(float(weight.abs().max()) for name, weight in expected.items() if "lora_B" in name) > 5e-3


def losses(folder: Path) -> list[float]:
    events = map(json.loads, (folder / EVENTS).read_text(encoding="utf-8").splitlines())
    return [event["loss"] for event in events if event["loss"] is not None]
