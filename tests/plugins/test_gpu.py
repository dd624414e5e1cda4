"""benchmarks/gpu.py: without a GPU it says so, and what a CPU can compute of it is right; with one, all of it runs."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import ROOT

SCRIPT = ROOT / "benchmarks" / "gpu.py"


def ran(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, SCRIPT, "--small", *arguments]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, encoding="utf-8", timeout=600
    )


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    spec = importlib.util.spec_from_file_location("gpu", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_without_a_gpu_it_says_so_and_writes_nothing(tmp_path: Path) -> None:
    ended = ran("--json", tmp_path / "figures.json", CUDA_VISIBLE_DEVICES="")
    assert ended.returncode == 2
    assert ended.stdout == "no GPU: nothing was measured\n"
    assert not list(tmp_path.iterdir())


def test_what_a_cpu_can_compute_of_it_holds(
    gpu: ModuleType, bert: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which checks the measuring: the same functions with the CPU as their device."""
    monkeypatch.setenv("RR_DEVICE", "cpu")
    lines: list[Any] = [*gpu.packing(True), *gpu.half_precision(True, str(bert(1)))]
    assert all(line.holds for line in lines), "\n".join(map(str, lines))
    assert {line.name.split(":")[0] for line in lines} == {"packed", "float16", "bfloat16"}
    assert all(line.value >= 0 for line in lines)  # a tiny model may round to the same halves
    weights, events = gpu.trained(gpu.encoder(True), gpu.steps(4, 3), range(12), 16)
    assert sum(event.loss is not None for event in events) == 3
    other, _ = gpu.trained(gpu.encoder(True), gpu.steps(2, 3, gradient_accumulation_steps=2), range(12), 16)
    for name, one in weights.items():  # halved batches make the same steps
        assert float((other[name] - one).abs().max()) < 1e-4, name


@pytest.mark.gpu
def test_all_of_it_runs_on_a_gpu(tmp_path: Path) -> None:
    import torch

    ended = ran("--json", tmp_path / "figures.json")
    told = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert told["device"] == torch.cuda.get_device_name()
    missed = [row for row in told["figures"] if not row["holds"]]
    assert ended.returncode == 0, f"{missed}\n{ended.stderr}"
    names = " ".join(row["name"] for row in told["figures"])
    for part in ("rr_varlen", "bfloat16", "halved", "preset 15gb", "float16: steps left out"):
        assert part in names
    assert ("NCCL" in names) == (torch.cuda.device_count() > 1)
