"""What is trained and exported here, opened by sentence-transformers alone: the same scores at the same length."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sentence_transformers import CrossEncoder, SentenceTransformer
from torch.nn import Identity

import rr
from tests.conftest import Rr

LENGTH = 40
QUERY = "Phòng trọ quận 1"
TEXTS = ["where is the lamp", "Phòng trọ quận 1, giá 3.5 triệu", "the falcon " * 300, "the falcon " * 20, "đ"]
"""Of which two are longer than `LENGTH` tokens."""


@pytest.fixture
def registry(small_registry: Path, bert: Callable[[int | None], Path], sentence_encoder: Path) -> Path:
    settings = {"max_seq_length": LENGTH}
    entries = {
        "cross": {
            "scorer": "cross_encoder",
            "trainer": "cross_encoder",
            "settings": {"model": str(bert(1)), **settings},
        },
        "head": {
            **{"scorer": "head", "trainer": "head"},
            "settings": {"model": str(sentence_encoder), "dimensions": 8, **settings},
        },
    }
    with small_registry.open("a", encoding="utf-8") as file:
        file.writelines(
            f"  {name}: {json.dumps({**entry, 'training': {'epochs': 1}})}\n" for name, entry in entries.items()
        )
    return small_registry


def test_a_cross_encoder(registry: Path, rr_command: Rr, tmp_path: Path) -> None:
    trained = rr.train("cross", "rooms", registry=registry)
    ended = rr_command("export", "cross", trained.folder, tmp_path / "served", "--registry", registry)
    assert ended.returncode == 0, ended.stderr
    ours = trained.load().rerank(QUERY, TEXTS)
    assert ours.diagnostics["truncated"] == 2 / 5
    for folder in (trained.folder, tmp_path / "served"):
        model = CrossEncoder(str(folder), device="cpu", activation_fn=Identity())
        assert model.max_seq_length == LENGTH
        found = model.predict([(QUERY, text) for text in TEXTS]).tolist()
        assert found == pytest.approx([ours.scores[str(place)] for place in range(5)], abs=1e-5)
        ranked = [str(row["corpus_id"]) for row in model.rank(QUERY, TEXTS)]
        in_order = [ours.scores[id_] for id_ in ranked]  # two texts that are cut to the same tokens are tied
        assert in_order == pytest.approx(sorted(in_order, reverse=True), abs=1e-5)
    assert len(set(ours.scores.values())) >= 4


def test_a_head(registry: Path, rr_command: Rr, tmp_path: Path) -> None:
    trained = rr.train("head", "rooms", registry=registry)
    ended = rr_command("export", "head", trained.folder, tmp_path / "served", "--registry", registry)
    assert ended.returncode == 0, ended.stderr
    model = SentenceTransformer(str(tmp_path / "served"), device="cpu")
    assert model.max_seq_length == LENGTH
    found = model.similarity(model.encode_query([QUERY]), model.encode_document(TEXTS))[0].tolist()
    ours = trained.load().rerank(QUERY, TEXTS)
    assert found == pytest.approx([ours.scores[str(place)] for place in range(5)], abs=1e-5)


def test_what_something_else_computes_is_not_written(registry: Path, rr_command: Rr, tmp_path: Path) -> None:
    trained = rr.train("cross", "rooms", registry=registry)
    text = registry.read_text(encoding="utf-8").replace('"max_seq_length"', '"quantization": "int8", "max_seq_length"')
    registry.write_text(text, encoding="utf-8")
    ended = rr_command("export", "cross", trained.folder, tmp_path / "served", "--registry", registry)
    assert ended.returncode == 2
    assert "export with 'backend: torch'" in ended.stderr
    assert not (tmp_path / "served").exists()
