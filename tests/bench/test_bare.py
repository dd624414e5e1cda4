"""The bare distribution, without torch: core, evaluator, baselines and data."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A venv with what `pip install rerank-registry` brings, and README's plugin."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=120)
    install = [*pip(folder / "bin"), "install", "--quiet", "-c", ROOT / "constraints.txt"]
    subprocess.run([*install, ROOT, "hatchling"], check=True, timeout=300, capture_output=True)
    plugin = ROOT / "tests" / "dist" / "rr_overlap"
    subprocess.run(
        [*install, "--no-build-isolation", "--no-deps", plugin], check=True, timeout=120, capture_output=True
    )
    return folder / "bin"


def pip(bare: Path) -> list[str | Path]:
    """That of the tests, for the other venv: to install it there takes longer than all else."""
    return [sys.executable, "-m", "pip", "--python", bare / "python"]


def run(bare: Path, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {"RR_HOME": str(home), "PATH": os.environ["PATH"]}
    return subprocess.run(
        [bare / "rr", *arguments], cwd=home, env=environment, capture_output=True, encoding="utf-8", timeout=120
    )


def test_baselines_and_a_plugin_are_benched_without_torch(bare: Path, tmp_path: Path) -> None:
    packages = subprocess.run([*pip(bare), "list"], capture_output=True, encoding="utf-8", check=True)
    assert not {"torch", "transformers", "scikit-learn", "openpyxl"} & set(packages.stdout.lower().split())
    ended = run(bare, "bench", "first-stage", "bm25", "random", "overlap", "-d", "helpdesk", home=tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "FAILED" not in ended.stdout


def test_a_missing_extra_is_a_failed_row_with_the_command(bare: Path, tmp_path: Path) -> None:
    ended = run(bare, "bench", "random", "head", "-d", "helpdesk", "--baseline", "random", home=tmp_path)
    told = " ".join(ended.stdout.split())
    assert ended.returncode == 1
    assert "pip install 'rerank-registry[head]'" in told
    listed = run(bare, "list", home=tmp_path)
    assert listed.returncode == 0, listed.stdout
    refused = run(bare, "bench", "random", "-d", "helpdesk", "--registry", str(tfidf(tmp_path)), home=tmp_path)
    assert "pip install 'rerank-registry[tfidf]'" in " ".join(refused.stdout.split())


def tfidf(folder: Path) -> Path:
    text = (ROOT / "registry.yaml").read_text(encoding="utf-8")
    path = folder / "tfidf.yaml"
    path.write_text(text.replace("candidates: {options: {k1: 1.5, b: 0.75}}", "candidates: {retriever: tfidf}"))
    return path
