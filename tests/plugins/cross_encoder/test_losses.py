"""The listwise losses against sentence-transformers' own calls of a model, and against loops in float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from sentence_transformers.cross_encoder import CrossEncoder, losses

from rr import Dataset
from rr.training.mining import mine
from rr_cross_encoder.losses import LISTWISE, Tokenised, loss_of
from rr_cross_encoder.model import PairModel
from rr_cross_encoder.samples import Sample, group_samples, labelled_pairs, list_samples
from rr_cross_encoder.settings import CrossEncoderSettings, CrossEncoderTraining
from rr_cross_encoder.trainer import batch_loss, in_lists, tokenised

Bert = Callable[..., Path]

LISTS = [([2.0, -1.0, 0.5], [1, 0, 0]), ([0.3, 0.1, -2.0, 4.0, 1.0], [0, 1, 0, 0, 1]), ([-1.0, 1.0], [1, 0])]


def samples(lists: list[tuple[list[float], list[int]]]) -> list[Tokenised]:
    return [Tokenised([{"input_ids": []}] * len(scores), tuple(map(float, labels)), 1.0) for scores, labels in lists]


def listnet(scores: list[float], labels: list[int]) -> float:
    told = sum(math.exp(score) for score in scores)
    truth = sum(math.exp(label) for label in labels)
    return -sum(math.exp(y) / truth * (s - math.log(told)) for s, y in zip(scores, labels, strict=True))


def ranknet(scores: list[float], labels: list[int]) -> float:
    """log2(1 + exp(-(s+ - s-))), the mean over the pairs of a positive and a negative."""
    pairs = [
        math.log2(1 + math.exp(lower - upper))
        for upper, y in zip(scores, labels, strict=True)
        for lower, z in zip(scores, labels, strict=True)
        if y > z
    ]
    return sum(pairs) / len(pairs)


def lambda_(scores: list[float], labels: list[int]) -> float:
    """NDCG-Loss2++ (Wang et al. 2018, eq. 21) with μ = 10, the mean over the pairs of a positive and a negative."""
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    place = {i: rank for rank, i in enumerate(order, 1)}
    ideal = sum(1 / math.log2(1 + rank) for rank in range(1, sum(labels) + 1))

    def discount(rank: int) -> float:
        return 1 / math.log2(1 + rank)

    found = []
    for i, y in enumerate(labels):
        for j, z in enumerate(labels):
            if y > z:
                apart = abs(place[i] - place[j])
                loss2 = discount(apart) - discount(apart + 1)
                rank = abs(1 / discount(place[i]) ** -1 - discount(place[j]))
                found.append((10 * loss2 + rank) / ideal * math.log2(1 + math.exp(scores[j] - scores[i])))
    return sum(found) / len(found)


def lce(scores: list[float], labels: list[int]) -> float:
    """-log(e^s+ / (e^s+ + Σ e^s-)), the mean over the positives."""
    negatives = sum(math.exp(score) for score, y in zip(scores, labels, strict=True) if not y)
    positives = [math.exp(score) for score, y in zip(scores, labels, strict=True) if y]
    return -sum(math.log(one / (one + negatives)) for one in positives) / len(positives)


FORMULAS = [("listnet", listnet), ("ranknet", ranknet), ("lambda", lambda_), ("lce", lce)]


@pytest.mark.parametrize(("name", "formula"), FORMULAS)
def test_a_loss_is_the_mean_of_its_lists(name: str, formula: Callable[[list[float], list[int]], float]) -> None:
    expected = [formula(scores, labels) for scores, labels in LISTS]
    logits = torch.tensor([score for scores, _ in LISTS for score in scores])
    assert loss_of(name, logits, samples(LISTS)).item() == pytest.approx(sum(expected) / 3, rel=1e-5)
    for one, value in zip(LISTS, expected, strict=True):
        assert loss_of(name, torch.tensor(one[0]), samples([one])).item() == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("name", LISTWISE)
def test_it_is_sentence_transformers_loss_of_the_same_texts(bert: Bert, name: str) -> None:
    """Value and gradient. Lists of one shape, whose mean is theirs."""
    folder = bert(1, dropout=False)
    texts = [
        ("where is the lamp", ("the falcon offer", "the hammer is rejected", "a word"), (1.0, 0.0, 0.0)),
        ("find the river", ("hammer", "the guide to the river and its hammer", "falcon"), (0.0, 1.0, 0.0)),
    ]
    theirs = CrossEncoder(str(folder), device="cpu")
    queries, documents, labels = zip(*texts, strict=True)
    loss = getattr(losses, LISTWISE[name])(theirs)
    expected = loss([list(queries), [list(docs) for docs in documents]], [torch.tensor(values) for values in labels])
    expected.backward()
    pairs = PairModel(CrossEncoderSettings(model=str(folder), max_seq_length=64), None)
    found = batch_loss(pairs, name, tokenised(pairs, [Sample(*row) for row in texts])).value
    found.backward()  # type: ignore[no-untyped-call]
    assert found.item() == pytest.approx(expected.item(), rel=1e-4)
    gradients = {name.rpartition("bert.")[2]: w.grad for name, w in theirs.named_parameters() if w.grad is not None}
    for parameter, weight in pairs.model.named_parameters():
        (other,) = [grad for key, grad in gradients.items() if key.endswith(parameter.removeprefix("bert."))]
        torch.testing.assert_close(weight.grad, other, rtol=1e-3, atol=1e-5)


def test_lists_are_the_pairs_of_each_query(learnable: Dataset) -> None:
    options = CrossEncoderTraining(loss="listnet")
    pools = mine(learnable, options).pools
    lists = list_samples(learnable, pools, options, 0)
    assert len(lists) == len({one.query for one in lists}) == len(learnable.splits["train"])
    rows = set(labelled_pairs(learnable, pools, options, 0))
    found = [(one.query, *pair) for one in lists for pair in zip(one.documents, one.labels, strict=True)]
    assert set(found) == rows
    assert len(found) == len(rows)


def test_groups_are_each_positive_with_its_negatives(learnable: Dataset) -> None:
    options = CrossEncoderTraining(loss="lce")
    pools = mine(learnable, options).pools
    groups = group_samples(learnable, pools, options, 0)
    assert {one.labels for one in groups} == {(1.0, 0.0, 0.0, 0.0, 0.0)}
    found = [(one.query, *pair) for one in groups for pair in zip(one.documents, one.labels, strict=True)]
    assert sorted(found) == sorted(labelled_pairs(learnable, pools, options, 0))
    assert groups != group_samples(learnable, pools, options, 1)


@pytest.mark.parametrize(("batch_size", "lists"), [(64, 4), (15, 1), (14, 1), (1, 1), (31, 2)])
def test_a_batch_is_as_many_lists_as_have_its_pairs(batch_size: int, lists: int) -> None:
    options = CrossEncoderTraining(loss="lambda", batch_size=batch_size)
    epochs = [[Sample("q", ("d",) * length, (1.0,) * length) for length in (5, 15)]]
    assert in_lists(options, epochs).batch_size == lists


def test_a_batch_of_pairs_is_its_pairs() -> None:
    options = CrossEncoderTraining(batch_size=7)
    assert in_lists(options, [[Sample("q", ("d",), (1.0,))] * 20]) == options
