"""The key of what is kept holds the rooms that it depends on: seen on a copy of the code in which one is changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import ROOT

KEYS = """
import json
from pathlib import Path
from rr.protocols import Settings
from rr.registry.plugins import installed_plugins
from rr_bench.keys import component_key
plugins = installed_plugins()
rows = [one for one in plugins.components if one.kind != "command" and "--kind" != one.component.name]
light = {"rerank-registry/" + name for name in ("bm25", "first_stage", "beir", "run")}
print(json.dumps({
    f"{one.kind} {one.component.name}": component_key(plugins.load(one.kind, one.component.name), one)["code"]
    for one in rows if f"{one.distribution}/{one.component.name}" in light
}))
"""


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copied")
    for name in ("core", "plugins"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def run(copied: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": f"{copied / 'core'}:{copied / 'plugins'}"}
    ended = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, encoding="utf-8", timeout=120, check=True
    )
    return ended.stdout


@contextmanager
def spaced(*files: Path) -> Iterator[None]:
    """With a line more that says nothing."""
    before = {file: file.read_text(encoding="utf-8") for file in files}
    for file, text in before.items():
        file.write_text(text + "\n# nothing\n", encoding="utf-8")
    yield
    for file, text in before.items():
        file.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def keys(copied: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(run(copied, "-c", KEYS))
    assert set(found) == {"scorer bm25", "reranker first_stage", "reader beir", "retriever bm25", "retriever run"}
    return found


@pytest.mark.parametrize(
    ("file", "stale"),
    [
        ("core/rr_bench/cli/bench.py", set()),
        ("core/rr_bench/report/table.py", set()),
        ("core/rr_torch/encoding.py", set()),
        ("core/rr/registry/plugins.py", set()),
        ("core/rr/rerank/sort.py", {"scorer bm25", "reranker first_stage"}),
        ("core/rr/data/rows.py", {"reader beir"}),
        ("core/rr/types.py", {"scorer bm25", "reranker first_stage", "reader beir", "retriever bm25", "retriever run"}),
        ("plugins/rr_data/weights.py", {"reader beir"}),
        ("plugins/rr_head/loss.py", set()),
    ],
)
def test_a_change_makes_stale_what_depends_on_it(
    copied: Path, keys: dict[str, object], file: str, stale: set[str]
) -> None:
    with spaced(copied / file):
        after = json.loads(run(copied, "-c", KEYS))
    assert {name for name in keys if keys[name] != after[name]} == stale


def test_a_change_of_the_evaluator_computes_nothing_anew(copied: Path, small_registry: Path) -> None:
    text = small_registry.read_text(encoding="utf-8")
    small_registry.write_text(text.partition("  bi-encoder:")[0], encoding="utf-8")  # which imports torch

    def bench(out: str) -> list[bool]:
        run(copied, "-m", "rr_bench", "bench", "--all", "--registry", str(small_registry), "--out", str(copied / out))
        (found,) = json.loads((copied / out / "bench.json").read_text(encoding="utf-8"))["datasets"]
        return [row["scores_from_store"] for row in found["rows"]]

    assert not any(bench("first"))
    files = ("report/table.py", "cli/bench.py", "evaluate/bench.py", "train/training.py")
    with spaced(*(copied / "core" / "rr_bench" / file for file in files)):
        assert all(bench("second"))
    with spaced(copied / "core" / "rr" / "rerank" / "sort.py"):
        assert not any(bench("third"))


def test_every_room_that_decides_is_in_the_key() -> None:
    """What the rooms in the key import of the contract is in it, too, or computes nothing."""
    from rr_bench.keys import SCORING, TRAINING
    from tests.core.test_architecture import imported

    harmless = {"rr.errors", "rr.border", "rr.spec", "rr.registry", "rr.files"}
    for rooms in (SCORING, TRAINING):
        for room in rooms:
            place = ROOT / "core" / room.replace(".", "/")
            for file in [place.with_suffix(".py")] if place.with_suffix(".py").is_file() else place.rglob("*.py"):
                found = {".".join(name.split(".")[:2]) for name in imported(file) if name.split(".")[0] == "rr"}
                assert found - {"rr.data"} <= {*rooms, *harmless}, file
