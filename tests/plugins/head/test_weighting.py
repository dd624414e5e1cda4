"""`python -m experiments.weighting`: the whole experiment on a small file of listings, and its parts."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest
import torch
from experiments.weighting import VARIANTS, check_splits, main, mean_over_seeds, multiplied_similarity
from typer import Typer
from typer.testing import CliRunner

from rr import Dataset, RerankError
from rr_head.batches import Batch
from rr_head.trainer import info_nce
from tests.plugins.conftest import PHRASES, TOPICS
from tests.plugins.head.test_loss import inputs


@pytest.fixture
def registry(tmp_path: Path, sentence_encoder: Path) -> Path:
    rows = []
    for asked, told in TOPICS.items():
        for number, phrase in enumerate(PHRASES):
            listing = f"the {told} offer {number % 2} is recommended by the guide"
            negatives = [
                {"text": f"the {told} offer {number % 2} is rejected", "type": ["price", "area"], "weight": 2.45},
                {"text": f"the {told} offer {number % 2} was recommended", "type": ["area"], "weight": 1.5},
            ]
            rows.append({"query": f"{phrase} {asked}", "pos": listing, "hard_neg": negatives})
    (tmp_path / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    path = tmp_path / "registry.yaml"
    path.write_text(
        f"""
version: 1
default_profile: small
profiles: {{small: {{suite: small}}}}
suites:
  small:
    datasets:
      rooms: {{reader: rental, options: {{rows: {tmp_path}/rows.json}}, split: {{dev: 0.25, test: 0.25}}}}
rerankers:
  bm25: {{scorer: bm25}}
  head:
    scorer: head
    trainer: head
    settings: {{model: {sentence_encoder}, dimensions: 16}}
    training: {{epochs: 2, batch_size: 8}}
""",
        encoding="utf-8",
    )
    return path


def run(*arguments: str | Path) -> None:
    app = Typer()
    app.command()(main)
    CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def test_the_experiment_writes_its_table(registry: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("-d", "rooms", "--registry", registry, "--seeds", "3", "--lr", "0.01", "--lr", "0.001", "--out", out)
    told = json.loads((out / "weighting.json").read_text(encoding="utf-8"))
    assert list(told["test"]) == ["base encoder", *VARIANTS]
    assert told["command"].startswith("python -m experiments.weighting")
    assert set(told["dev by lr"]) == {"0.01", "0.001"}
    assert told["training"]["lr"] == float(max(told["dev by lr"], key=told["dev by lr"].get))
    assert "0 of them are positives of train" in told["leakage"]
    for variant in VARIANTS:
        assert set(told["test"][variant]) == {"MRR", "accuracy", "accuracy price", "accuracy area"}
        for mean in told["test"][variant].values():
            assert mean["low"] <= mean["mean"] <= mean["high"]
    for measure, gap in told["weighted − unweighted, over seeds"].items():
        means = [told["test"][variant][measure]["mean"] for variant in ("weighted", "unweighted")]
        assert gap["mean"] == pytest.approx(means[0] - means[1])
    by_query = told["weighted − unweighted, MRR over queries"]["mean"]
    assert by_query == pytest.approx(told["weighted − unweighted, over seeds"]["MRR"]["mean"])
    table = (out / "weighting.md").read_text(encoding="utf-8")
    assert table.count("\n| ") == 8
    assert f"Learning rate {told['training']['lr']:g}" in table
    with pytest.raises(RerankError, match="'bm25' is no projection head"):
        run("-d", "rooms", "--registry", registry, "--reranker", "bm25", "--out", out)


def test_a_positive_in_two_splits_ends_the_experiment(learnable: Dataset) -> None:
    with pytest.raises(RerankError, match=r"positives of the \w+ split are positives of train; split by group"):
        check_splits(learnable)
    own = {q: {f"{q}-answer": 1} for q in learnable.queries}
    texts = {f"{q}-answer": replace(next(iter(learnable.documents.values())), id=q, text=q) for q in own}
    apart = replace(learnable, qrels=own, documents={**learnable.documents, **texts})
    assert "0 are hard negatives of train" in check_splits(apart)


def test_the_mistake_multiplies_the_similarity() -> None:
    queries, positives, negatives, weights, same = inputs(5, 3)
    tau = 0.2

    def loss(made: torch.Tensor) -> float:
        return multiplied_similarity(Batch(queries, positives, negatives, made, same, None), torch.tensor(tau)).item()

    total = 0.0
    for i in range(5):
        for anchor, others, hidden in ((queries[i], positives, same[i]), (positives[i], queries, same[:, i])):
            own = math.exp(queries[i] @ positives[i] / tau)
            rest = sum(math.exp(anchor @ others[j] / tau) for j in range(5) if j != i and not hidden[j])
            hard = sum(math.exp(w * (anchor @ n) / tau) for w, n in zip(weights[i], negatives[i], strict=True) if w > 0)
            total -= math.log(own / (own + rest + hard)) / 10
    assert loss(weights) == pytest.approx(total)
    ones = torch.ones_like(weights)
    right = info_nce(Batch(queries, positives, negatives, ones, same, None), torch.tensor(tau)).item()
    assert loss(ones) == pytest.approx(right), "with weights of 1 there is no difference"
    assert loss(weights) != pytest.approx(loss(ones))


def test_the_interval_is_students() -> None:
    mean = mean_over_seeds([0.1, 0.2, 0.4, 0.2, 0.1])
    error = math.sqrt(sum((x - 0.2) ** 2 for x in (0.1, 0.2, 0.4, 0.2, 0.1)) / 4 / 5)
    assert mean.mean == pytest.approx(0.2)
    assert mean.high == pytest.approx(0.2 + 2.7764451 * error)  # t(0.975, 4), from a table
    assert mean.low == pytest.approx(0.2 - 2.7764451 * error)
    assert mean.p is not None
    assert 0.01 < mean.p < 0.05
    assert mean_over_seeds([0.5]).low is None
    assert fmean([0.5]) == mean_over_seeds([0.5]).mean
