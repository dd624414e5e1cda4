"""The chance level of the cross-encoder's losses: what equal logits give."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from rr_cross_encoder.losses import Tokenised, loss_of
from rr_cross_encoder.model import PairModel
from rr_cross_encoder.samples import Sample
from rr_cross_encoder.settings import CrossEncoderSettings
from rr_cross_encoder.trainer import batch_loss, tokenised

Bert = Callable[..., Path]


@pytest.fixture(scope="module")
def pairs(bert: Bert) -> PairModel:
    model = PairModel(CrossEncoderSettings(model=str(bert(1)), max_seq_length=32), None)
    model.model.eval()
    return model


def told(pairs: PairModel, loss: str, samples: list[Sample]) -> tuple[float, float | None]:
    with torch.no_grad():
        found = batch_loss(pairs, loss, tokenised(pairs, samples))
    return found.chance, found.truncated


def pair(label: float, weight: float, text: str = "phòng có gác lửng") -> Sample:
    return Sample("phòng rẻ", (text,), (label,), weight)


def a_list(*labels: float) -> Sample:
    return Sample("which", tuple(f"document {n}" for n in range(len(labels))), labels)


@pytest.mark.parametrize("weights", [[1.0], [3.0, 1.0], [3.0, 1.0, 1.0, 1.0], [0.5, 2.5, 0.0, 4.0]])
def test_of_weighted_bce_it_is_the_mean_weight_times_ln_2(pairs: PairModel, weights: list[float]) -> None:
    samples = [pair(float(place == 0), weight) for place, weight in enumerate(weights)]
    expected = sum(weight * math.log(2) for weight in weights) / len(weights)
    assert told(pairs, "bce", samples)[0] == pytest.approx(expected, rel=1e-6)


def test_of_bce_whose_positive_weighs_as_its_three_negatives(pairs: PairModel) -> None:
    """The recipe's pos_weight: a level that is not ln 2."""
    chance, _ = told(pairs, "bce", [pair(1.0, 3.0), pair(0.0, 1.0), pair(0.0, 1.0), pair(0.0, 1.0)])
    assert chance == pytest.approx(1.04, abs=0.001)


@pytest.mark.parametrize("label", [0.0, 0.3, 1.0])
def test_of_bce_it_is_the_same_for_any_label(pairs: PairModel, label: float) -> None:
    assert told(pairs, "bce", [pair(label, 1.0)])[0] == pytest.approx(math.log(2), rel=1e-6)


@pytest.mark.parametrize(("positives", "negatives"), [(1, 1), (1, 3), (2, 5), (1, 15)])
def test_of_lists_it_is_that_of_equal_scores(pairs: PairModel, positives: int, negatives: int) -> None:
    labels = [1.0] * positives + [0.0] * negatives
    expected = {"lce": math.log(1 + negatives), "listnet": math.log(positives + negatives), "ranknet": math.log2(2)}
    for loss, level in expected.items():
        assert told(pairs, loss, [a_list(*labels)])[0] == pytest.approx(level, rel=1e-5), loss


def test_a_batch_is_the_mean_of_its_lists(pairs: PairModel) -> None:
    lists = [a_list(1.0, 0.0), a_list(0.0, 1.0, 0.0, 0.0), a_list(0.0, 0.0, 1.0)]
    for loss in ("lce", "listnet", "ranknet", "lambda"):
        each = [told(pairs, loss, [one])[0] for one in lists]
        assert told(pairs, loss, lists)[0] == pytest.approx(sum(each) / 3, rel=1e-5)


@pytest.mark.parametrize("loss", ["bce", "lce", "listnet", "ranknet", "lambda"])
def test_a_model_whose_logits_are_equal_is_at_chance(pairs: PairModel, loss: str) -> None:
    samples = [pair(1.0, 3.0), pair(0.0, 1.0)] if loss == "bce" else [a_list(1.0, 0.0, 0.0)]
    rows: list[Tokenised] = tokenised(pairs, samples)
    logits = torch.zeros(sum(len(sample.rows) for sample in rows))
    assert loss_of(loss, logits, rows).item() == pytest.approx(told(pairs, loss, samples)[0], rel=1e-6)
    if loss in ("lce", "listnet", "ranknet"):  # it is the scores' differences that count
        assert loss_of(loss, logits + 7, rows).item() == pytest.approx(told(pairs, loss, samples)[0], rel=1e-5)


def test_truncated_is_the_share_of_documents_that_were_cut(pairs: PairModel) -> None:
    long = "căn hộ gần chợ " * 40
    samples = [
        Sample("q", ("short", long), (1.0, 0.0)),
        Sample("q", ("short", "too", long, long), (1.0, 0.0, 0.0, 0.0)),
    ]
    assert told(pairs, "lce", samples)[1] == pytest.approx(3 / 6)
    assert told(pairs, "lce", [Sample("q", ("", "short"), (1.0, 0.0))])[1] == 0
    assert told(pairs, "bce", [pair(1.0, 1.0, long), pair(0.0, 1.0)])[1] == 0.5
