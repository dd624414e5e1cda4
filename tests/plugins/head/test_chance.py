"""The chance level of the weighted InfoNCE: what equal similarities give, counted row by row."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from rr_head.batches import Batch
from rr_head.loss import chance_level, weighted_info_nce
from rr_head.trainer import equal_scores_loss, info_nce
from tests.plugins.head.test_loss import CASES, inputs


def by_hand(weights: Tensor, same: Tensor, foreign: Tensor | None) -> float:
    """ln(1 + Σ effective negatives), in float64, the mean over rows and both directions."""
    rows, found = range(len(weights)), []
    for i in rows:
        hard = math.fsum(weights[i].double().tolist())
        theirs = 0 if foreign is None else sum(bool(one) for one in foreign[i].flatten())
        others = sum(not same[i, j] for j in rows if j != i)
        mirrored = sum(not same[j, i] for j in rows if j != i)
        found += [math.log(1 + others + hard + theirs), math.log(1 + mirrored + hard + theirs)]
    return math.fsum(found) / len(found)


def drawn(rows: int, width: int, seed: int, foreign: bool) -> tuple[Tensor, Tensor, Tensor | None]:
    _, _, _, weights, same = inputs(rows, width, seed)
    if not foreign:
        return weights, same, None
    theirs = torch.rand(rows, rows, width, generator=torch.Generator().manual_seed(seed)) < 0.4
    theirs[torch.arange(rows), torch.arange(rows)] = False
    return weights, same, theirs


@pytest.mark.parametrize("foreign", [False, True])
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("rows", "width"), [*CASES, (1, 0), (16, 3)])
def test_it_is_the_mean_of_ln_of_one_and_all_negatives(rows: int, width: int, seed: int, foreign: bool) -> None:
    made = drawn(rows, width, seed, foreign)
    assert chance_level(*made) == pytest.approx(by_hand(*made), abs=1e-9)
    weights, same, theirs = made
    assert chance_level(weights.float(), same, theirs) == pytest.approx(by_hand(*made), rel=1e-6)


def test_the_directions_differ_where_answers_are_not_mutual() -> None:
    """p_1 answers q_0 too, and no other pair does: row 0 has no other query's positive, and p_1 not q_0."""
    same = torch.tensor([[True, True, True], [False, True, False], [False, False, True]])
    expected = (math.log(1) + 2 * math.log(3) + math.log(3) + 2 * math.log(2)) / 6
    assert chance_level(torch.zeros(3, 2), same) == pytest.approx(expected)


def test_inputs_stay_as_they_were() -> None:
    weights, same, foreign = drawn(5, 3, 1, True)
    before = weights.clone(), same.clone(), foreign.clone() if foreign is not None else None
    chance_level(weights, same, foreign)
    for now, was in zip((weights, same, foreign), before, strict=True):
        assert torch.equal(now, was)


def batch(rows: int, width: int, seed: int, foreign: bool) -> Batch:
    queries, positives, negatives, weights, same = inputs(rows, width, seed)
    return Batch(queries, positives, negatives, weights, same, drawn(rows, width, seed, foreign)[2])


@pytest.mark.parametrize("foreign", [False, True])
@pytest.mark.parametrize("tau", [0.01, 0.07, 1.0])
@pytest.mark.parametrize(("rows", "width"), CASES)
def test_the_loss_of_equal_scores_is_at_chance(rows: int, width: int, tau: float, foreign: bool) -> None:
    made = batch(rows, width, 3, foreign)
    level = chance_level(made.weights, made.same, made.foreign)
    assert equal_scores_loss(info_nce, made, torch.tensor(tau, dtype=torch.float64)) == pytest.approx(level, abs=1e-6)


def on_the_similarity(made: Batch, temperature: Tensor) -> Tensor:
    """The mistake that the check is for: a weight times the similarity, in place of the exponential."""
    one = (made.weights > 0).to(made.weights)
    scaled = made.negatives * made.weights[:, :, None]
    return weighted_info_nce(made.queries, made.positives, scaled, one, made.same, temperature, made.foreign)


def unweighted(made: Batch, temperature: Tensor) -> Tensor:
    one = (made.weights > 0).to(made.weights)
    return weighted_info_nce(made.queries, made.positives, made.negatives, one, made.same, temperature, made.foreign)


@pytest.mark.parametrize("wrong", [on_the_similarity, unweighted])
def test_a_loss_that_weighs_something_else_is_not(wrong: object) -> None:
    made = batch(8, 3, 3, False)
    level = chance_level(made.weights, made.same, made.foreign)
    found = equal_scores_loss(wrong, made, torch.tensor(0.07, dtype=torch.float64))  # type: ignore[arg-type]
    assert abs(found - level) > 0.05
