"""examples/nearest_listings.py, against the exact order."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sentence_transformers import SentenceTransformer, util

from rr_bench.data.load import load_dataset
from rr_bench.registry import load_registry
from rr_head.scorer import HeadScorer
from rr_head.settings import HeadSettings
from tests.conftest import ROOT

EXAMPLE = ROOT / "examples" / "nearest_listings.py"
QUERY = "tìm phòng gần chợ"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, EXAMPLE, *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=300)


def test_the_index_finds_the_nearest(small_registry: Path, sentence_encoder: Path, tmp_path: Path) -> None:
    pytest.importorskip("faiss", reason="faiss is not installed (extra demo)")
    served = tmp_path / "served"
    HeadScorer(HeadSettings(model=str(sentence_encoder), dimensions=16)).export(served)
    ended = run(served, QUERY, "-d", "rooms", "--registry", small_registry, "--top", "4")
    assert ended.returncode == 0, ended.stderr
    documents = list(load_dataset("rooms", load_registry(small_registry).dataset("rooms")).documents.values())
    encoder = SentenceTransformer(str(served), device="cpu")
    (exact,) = util.semantic_search(encoder.encode(QUERY), encoder.encode([d.content for d in documents]), top_k=4)
    lines = [line.split("\t") for line in ended.stdout.splitlines()]
    assert [id_ for _, id_, _ in lines] == [documents[hit["corpus_id"]].id for hit in exact]
    assert [float(cosine) for cosine, _, _ in lines] == pytest.approx([hit["score"] for hit in exact], abs=1e-4)


def test_what_is_missing_is_said_in_one_line(tmp_path: Path) -> None:
    blocked = "import sys, runpy; sys.modules['faiss'] = None; sys.argv = ['x', 'served', 'a query']"
    hidden = f"{blocked}; runpy.run_path({str(EXAMPLE)!r}, run_name='__main__')"
    ended = subprocess.run([sys.executable, "-c", hidden], capture_output=True, encoding="utf-8", timeout=300)
    assert (ended.returncode, ended.stderr) == (
        2,
        "error: faiss is not installed; pip install 'rerank-registry[demo]'\n",
    )
