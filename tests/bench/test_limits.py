"""What a long training is told that limited it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from rr_bench.train.limits import limits
from tests.bench.test_bench import trainable_registry  # noqa: F401 - a fixture
from tests.conftest import Rr

GPU, CPU = "NVIDIA L4", "cpu"
PAIRS = {"fp16": False, "bf16": False, "dataloader_num_workers": 0}
SETTINGS = {"model": "base", "max_seq_length": 512}


def record(device: str, training: dict[str, Any], settings: dict[str, Any], seconds: float = 754.4) -> dict[str, Any]:
    return {"seconds": seconds, "timed_on": {"device": device}, "training": training, "settings": settings}


@pytest.mark.parametrize(
    ("device", "training", "settings", "told", "tried"),
    [
        (GPU, PAIRS, SETTINGS, "NVIDIA L4, float32, 0 workers, max_seq_length 512", "--fp16"),
        (f"2 × {GPU}", PAIRS, SETTINGS, "2 × NVIDIA L4, float32, 0 workers, max_seq_length 512", "--fp16"),
        (
            GPU,
            {**PAIRS, "fp16": True},
            SETTINGS,
            "NVIDIA L4, fp16, 0 workers, max_seq_length 512",
            "--dataloader-num-workers 2",
        ),
        (
            GPU,
            {**PAIRS, "bf16": True, "dataloader_num_workers": 2},
            SETTINGS,
            "NVIDIA L4, bf16, 2 workers, max_seq_length 512",
            "--max-seq-length 256",
        ),
        (
            GPU,
            {**PAIRS, "fp16": True, "dataloader_num_workers": 2},
            {**SETTINGS, "max_seq_length": 256},
            "NVIDIA L4, fp16, 2 workers, max_seq_length 256",
            "a smaller --base-model",
        ),
        (CPU, PAIRS, SETTINGS, "cpu, float32, 0 workers, max_seq_length 512", "--max-seq-length 256"),
        (f"2 × {CPU}", PAIRS, SETTINGS, "2 × cpu, float32, 0 workers, max_seq_length 512", "--max-seq-length 256"),
        (CPU, {"lr": 1.0}, {"model": "base"}, "cpu", "a smaller --base-model"),
    ],
)
def test_a_long_training_is_told_what_to_try_next(
    device: str, training: dict[str, Any], settings: dict[str, Any], told: str, tried: str
) -> None:
    assert limits(record(device, training, settings)) == f"754 s of training on {told}; to be faster, try {tried}"


def test_nothing_is_said_where_nothing_is_known_or_it_was_short() -> None:
    """No flag that a trainer of somebody else's does not have."""
    assert limits(record(GPU, {}, {})) == "754 s of training on NVIDIA L4"
    assert limits(record(GPU, PAIRS, SETTINGS, seconds=60.0)) == ""
    assert limits(record(GPU, PAIRS, SETTINGS, seconds=60.1)) != ""
    assert limits({**record(GPU, PAIRS, SETTINGS), "timed_on": {}}) == ""


def test_the_command_tells_it_off_a_real_record(
    rr_command: Rr,
    trainable_registry: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = ("train", "head", "-d", "rooms", "--registry", trainable_registry, "--epochs", "1")
    ended = rr_command(*command)
    assert ended.returncode == 0, ended.stderr
    assert "to be faster" not in ended.stderr
    seconds = json.loads((Path(ended.stdout.strip()) / "training_info.json").read_text(encoding="utf-8"))["seconds"]
    assert 0 < seconds < 60
    monkeypatch.setattr("rr_bench.train.limits.LONG", 0.0)
    said = rr_command(*command).stderr.splitlines()
    (line,) = [line for line in said if "to be faster" in line]
    assert re.fullmatch(
        r"\d+ s of training on \S.*, max_seq_length 256; to be faster, try a smaller --base-model", line
    )
    assert " steps in " in said[said.index(line) - 1]
