"""Saving a state, keeping the best weights and going on hold nothing twice: the benchmark, on a small model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_nothing_is_held_twice(tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "benchmarks" / "state_memory.py", "--small", "--json", tmp_path / "figures.json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=600)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    figures = {row["name"]: row["value"] for row in json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))}
    assert len(figures) == 7
    held = figures["GB: weights, gradients and moments"]
    assert held < figures["the whole training, at most"], "what is measured is less than what there must be"
