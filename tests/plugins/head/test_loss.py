"""The weighted InfoNCE: against a loop written from the formula, in value and gradient, and at its edges."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from rr_head.loss import weighted_info_nce

Inputs = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def loop_loss(
    queries: Tensor,
    positives: Tensor,
    negatives: Tensor,
    weights: Tensor,
    same: Tensor,
    tau: float | Tensor,
    foreign: Tensor | None = None,
) -> Tensor:
    """The formula of the rental recipe, term by term, on float64. `foreign`: with the other rows' hard negatives."""

    def e(left: Tensor, right: Tensor) -> Tensor:
        return torch.exp(left @ right / tau)

    losses = []
    rows = range(len(queries))
    for i in rows:
        own = e(queries[i], positives[i])
        from_query = own + sum(e(queries[i], positives[j]) for j in rows if j != i and not same[i, j])
        from_query = from_query + sum(w * e(queries[i], n) for w, n in zip(weights[i], negatives[i], strict=True))
        # p_i is no negative of a query that it answers too
        from_document = own + sum(e(positives[i], queries[j]) for j in rows if j != i and not same[j, i])
        from_document = from_document + sum(
            w * e(positives[i], n) for w, n in zip(weights[i], negatives[i], strict=True)
        )
        if foreign is not None:
            theirs = [negatives[j, k] for j in rows for k in range(weights.shape[1]) if foreign[i, j, k]]
            from_query = from_query + sum(e(queries[i], n) for n in theirs)
            from_document = from_document + sum(e(positives[i], n) for n in theirs)
        losses += [-torch.log(own / from_query), -torch.log(own / from_document)]
    return torch.stack(losses).mean()


def inputs(rows: int, width: int, seed: int = 0, duplicates: bool = True) -> Inputs:
    generator = torch.Generator().manual_seed(seed)

    def unit(*shape: int) -> Tensor:
        return torch.nn.functional.normalize(torch.randn(*shape, generator=generator, dtype=torch.float64), dim=-1)

    weights = torch.rand(rows, width, generator=generator, dtype=torch.float64) * 4
    weights[torch.rand(rows, width, generator=generator) < 0.3] = 0  # padding
    same = torch.eye(rows, dtype=torch.bool)
    if duplicates:  # not symmetric: p_j may answer q_i while p_i does not answer q_j
        same |= torch.rand(rows, rows, generator=generator) < 0.3
    return unit(rows, 6), unit(rows, 6), unit(rows, width, 6), weights, same


CASES = [(1, 3), (2, 0), (2, 1), (5, 4), (8, 2)]


@pytest.mark.parametrize("tau", [0.01, 0.07, 1.0])
@pytest.mark.parametrize(("rows", "width"), CASES)
def test_the_loss_equals_the_formula(rows: int, width: int, tau: float) -> None:
    made = inputs(rows, width, seed=rows)
    expected = loop_loss(*made, tau).item()
    assert weighted_info_nce(*made, tau).item() == pytest.approx(expected, abs=1e-6)
    single = tuple(value.float() if value.is_floating_point() else value for value in made)
    # float32 cosines carry an error of 1e-7, which the temperature divides
    assert weighted_info_nce(*single, tau).item() == pytest.approx(expected, abs=1e-6 / tau)


@pytest.mark.parametrize("tau", [0.01, 0.07, 1.0])
@pytest.mark.parametrize(("rows", "width"), CASES)
def test_the_gradient_equals_the_formulas(rows: int, width: int, tau: float) -> None:
    queries, positives, negatives, weights, same = inputs(rows, width, seed=rows)
    gradients = []
    for loss in (weighted_info_nce, loop_loss):
        leaves = [value.clone().requires_grad_() for value in (queries, positives, negatives)]
        loss(*leaves, weights, same, tau).backward()
        gradients.append([torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves])
    for ours, expected in zip(*gradients, strict=True):
        assert torch.isfinite(ours).all()
        torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-9)


def test_the_gradient_passes_gradcheck() -> None:
    *vectors, weights, same = inputs(4, 3)
    leaves = [value.requires_grad_() for value in vectors]
    assert torch.autograd.gradcheck(lambda q, p, n: weighted_info_nce(q, p, n, weights, same, 0.07), leaves)


def test_with_weights_of_1_it_is_the_plain_symmetric_cross_entropy() -> None:
    queries, positives, negatives, weights, same = inputs(6, 3, duplicates=False)
    targets = torch.arange(6)
    expected = 0.0
    for anchors, others in ((queries, positives), (positives, queries)):
        hard = (anchors[:, None, :] * negatives).sum(-1)
        logits = torch.cat([anchors @ others.T, hard], dim=1) / 0.07
        expected += torch.nn.functional.cross_entropy(logits, targets).item() / 2
    loss = weighted_info_nce(queries, positives, negatives, torch.ones_like(weights), same, 0.07)
    assert loss.item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0, 4.0])
@pytest.mark.parametrize("cosine", [0.0, -0.5, 0.5])
def test_the_weight_multiplies_the_exponential_not_the_similarity(weight: float, cosine: float) -> None:
    """One row by hand. Scaling the similarity (the original's bug) would leave an orthogonal negative without any
    weight, and reward an opposite one for its weight."""
    anchor = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    negative = torch.tensor([[[cosine, math.sqrt(1 - cosine**2)]]], dtype=torch.float64)
    tau, same = 0.5, torch.ones(1, 1, dtype=torch.bool)
    loss = weighted_info_nce(anchor, anchor, negative, torch.tensor([[weight]], dtype=torch.float64), same, tau)
    expected = math.log(math.exp(1 / tau) + weight * math.exp(cosine / tau)) - 1 / tau
    assert loss.item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("cosine", [-0.9, 0.0, 0.9])
def test_a_heavier_negative_costs_more_and_is_pushed_away_harder(cosine: float) -> None:
    anchor = torch.tensor([[1.0, 0.0]])
    losses, pushes = [], []
    for weight in (0.5, 1.0, 2.5):
        negative = torch.tensor([[[cosine, math.sqrt(1 - cosine**2)]]], requires_grad=True)
        loss = weighted_info_nce(anchor, anchor, negative, torch.tensor([[weight]]), torch.ones(1, 1).bool(), 0.5)
        loss.backward()
        assert negative.grad is not None
        losses.append(loss.item())
        pushes.append(negative.grad[0, 0, 0].item())
    assert losses == sorted(set(losses))
    assert pushes == sorted(set(pushes))
    assert min(pushes) > 0


def test_a_weight_of_0_is_no_negative_at_all() -> None:
    queries, positives, negatives, weights, same = inputs(4, 3)
    weights[:] = 1.5
    padded = torch.cat([weights, torch.zeros(4, 2, dtype=torch.float64)], dim=1)
    filler = torch.cat([negatives, positives[:, None].expand(4, 2, 6)], dim=1)
    assert weighted_info_nce(queries, positives, filler, padded, same, 0.07).item() == pytest.approx(
        weighted_info_nce(queries, positives, negatives, weights, same, 0.07).item(), abs=1e-12
    )


def test_a_row_without_any_negative_costs_nothing() -> None:
    queries, positives, negatives, weights, _ = inputs(3, 2)
    leaf = queries.clone().requires_grad_()
    everywhere = torch.ones(3, 3, dtype=torch.bool)
    loss = weighted_info_nce(leaf, positives, negatives, torch.zeros_like(weights), everywhere, 0.07)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-12)
    assert leaf.grad is not None
    assert torch.isfinite(leaf.grad).all()


def some_foreign(rows: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return (torch.rand(rows, rows, width, generator=generator) < 0.6) & ~torch.eye(rows, dtype=torch.bool)[:, :, None]


@pytest.mark.parametrize("tau", [0.01, 0.07, 1.0])
@pytest.mark.parametrize("cross_row", [False, True])
@pytest.mark.parametrize(("rows", "width"), CASES)
def test_value_and_gradient_with_every_option(rows: int, width: int, tau: float, cross_row: bool) -> None:
    """A temperature that is learned, and the other rows' hard negatives."""
    queries, positives, negatives, weights, same = inputs(rows, width, seed=rows)
    foreign = some_foreign(rows, width) if cross_row else None
    outcomes = []
    for loss in (weighted_info_nce, loop_loss):
        leaves = [value.clone().requires_grad_() for value in (queries, positives, negatives)]
        log_scale = torch.tensor(-math.log(tau), dtype=torch.float64, requires_grad=True)
        value = loss(*leaves, weights, same, torch.exp(-log_scale), foreign)
        value.backward()
        gradients = [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in (*leaves, log_scale)]
        outcomes.append([value.detach(), *gradients])
    for ours, expected in zip(*outcomes, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-9)


def test_foreign_negatives_weigh_1_whatever_their_weight_in_their_own_row() -> None:
    queries, positives, negatives, weights, same = inputs(4, 2)
    foreign = some_foreign(4, 2)
    lone = torch.zeros_like(weights)
    light, heavy = (weighted_info_nce(queries, positives, negatives, lone + w, same, 0.07, foreign) for w in (0, 3))
    without = weighted_info_nce(queries, positives, negatives, lone, same, 0.07)
    assert without < light < heavy
    assert light.item() == pytest.approx(loop_loss(queries, positives, negatives, lone, same, 0.07, foreign).item())


@pytest.mark.parametrize("tau", [1e-3, 100.0])
@pytest.mark.parametrize("cross_row", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_any_temperature_is_stable(tau: float, cross_row: bool, dtype: torch.dtype) -> None:
    """At 0.001 logits reach ±1000, whose exponential no float32 and no float64 holds."""
    queries, positives, negatives, weights, same = inputs(16, 4)
    queries[0], negatives[0, 0], weights[0, 0] = -positives[0], -positives[0], 4.0  # the worst case there is
    weights[1] = 0
    foreign = some_foreign(16, 4) if cross_row else None
    leaves = [value.to(dtype).requires_grad_() for value in (queries, positives, negatives)]
    scale = torch.tensor(tau, dtype=dtype, requires_grad=True)
    loss = weighted_info_nce(*leaves, weights.to(dtype), same, scale, foreign)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(leaf.grad).all() for leaf in (*leaves, scale) if leaf.grad is not None)
    expected = wide_loss(queries, positives, negatives, weights, same, tau, foreign)
    assert loss.item() == pytest.approx(expected, rel=1e-6 if dtype == torch.float32 else 1e-9)


def wide_loss(
    queries: Tensor,
    positives: Tensor,
    negatives: Tensor,
    weights: Tensor,
    same: Tensor,
    tau: float,
    foreign: Tensor | None,
) -> float:
    """The formula in numbers of any size (Python's decimal), for logits whose exponential is no float."""
    from decimal import Decimal, localcontext

    with localcontext() as context:
        context.prec = 40

        def e(left: Tensor, right: Tensor) -> Decimal:
            return (Decimal((left @ right).item()) / Decimal(tau)).exp()

        rows, total = range(len(queries)), Decimal(0)
        for i in rows:
            for anchor, others, hidden in ((queries[i], positives, same[i]), (positives[i], queries, same[:, i])):
                own = e(queries[i], positives[i])
                parts = own + sum(e(anchor, others[j]) for j in rows if j != i and not hidden[j])
                parts += sum(Decimal(w.item()) * e(anchor, n) for w, n in zip(weights[i], negatives[i], strict=True))
                if foreign is not None:
                    parts += sum(e(anchor, negatives[j, k]) for j in rows for k in range(4) if foreign[i, j, k])
                total -= (own / parts).ln()
        return float(total / (2 * len(queries)))
