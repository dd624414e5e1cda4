"""`--device` and `$RR_DEVICE` on the command line: what they name is looked for before any work."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.bench.test_cli import failed
from tests.conftest import Rr

COMMANDS = {
    "train": ["train", "bm25", "-d", "rooms"],
    "bench": ["bench", "bm25", "-d", "rooms"],
    "rerank": ["rerank", "bm25", "-q", "gác lửng", "phòng rẻ", "phòng có gác lửng"],
    "bias": ["bias", "bm25", "-d", "rooms"],
    "info": ["info", "bm25"],
    "doctor": ["doctor", "bm25", "-d", "rooms"],
    "export": ["export", "bm25", "checkpoint", "out"],
}
ABSENT = "there is no such device here; one of cpu"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_device_that_is_not_there_ends_a_command_before_its_work(
    command: str, rr_command: Rr, small_registry: Path
) -> None:
    arguments = [*COMMANDS[command], "--registry", small_registry]
    for given in (["--device", "cuda:99"], ["--device=cuda:99"]):
        failed(rr_command(*arguments, *given), f"device 'cuda:99': {ABSENT}")
    failed(rr_command(*arguments, "--device", ""), "--device is empty")
    assert not Path(os.environ["RR_HOME"]).exists()


def test_the_users_own_variable_is_looked_at_too(
    rr_command: Rr, small_registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RR_DEVICE", "gpu")
    failed(rr_command(*COMMANDS["bench"], "--registry", small_registry), f"device 'gpu': {ABSENT}")
    ended = rr_command(*COMMANDS["rerank"], "--registry", small_registry, "--device", "cpu")  # which has the last word
    assert ended.returncode == 0, ended.stderr


def test_where_there_is_no_torch_there_is_no_gpu(
    rr_command: Rr, small_registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rr_bench.cli.options.find_spec", lambda name: None)
    arguments = [*COMMANDS["rerank"], "--registry", small_registry, "--device"]
    failed(rr_command(*arguments, "cuda"), "device 'cuda': there is no such device here: torch is not installed")
    for there in ("cpu", "auto"):
        assert rr_command(*arguments, there).returncode == 0


def test_a_model_computes_where_it_is_told_to(rr_command: Rr, small_registry: Path, tmp_path: Path) -> None:
    arguments = ["bench", "bi-encoder", "-d", "rooms", "--registry", small_registry, "--device", "cpu"]
    ended = rr_command(*arguments, "--out", tmp_path / "out")
    assert ended.returncode == 0, ended.stderr
    (row,) = json.loads((tmp_path / "out" / "bench.json").read_text(encoding="utf-8"))["datasets"][0]["rows"]
    assert row["timed_on"]["device"] == "cpu"


def test_train_takes_it_for_no_setting(rr_command: Rr, small_registry: Path) -> None:
    """Its settings are read from what rr does not know."""
    arguments = ["train", "bi-encoder", "-d", "rooms", "--registry", small_registry]
    failed(rr_command(*arguments, "--device", "cpu"), "has no trainer")
    failed(rr_command(*arguments, "--devise", "cpu"), "has no setting --devise", "did you mean 'device'?")
    shown = rr_command(*arguments, "--device", "cpu", "--help")
    assert "--device" in shown.stdout
