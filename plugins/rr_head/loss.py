"""Symmetric InfoNCE with weighted hard negatives, in log space."""

from __future__ import annotations

import torch
from torch import Tensor


def weighted_info_nce(
    queries: Tensor,
    positives: Tensor,
    negatives: Tensor,
    weights: Tensor,
    same: Tensor,
    temperature: float | Tensor,
    foreign: Tensor | None = None,
) -> Tensor:
    """The mean over rows of both directions' losses, with s = cosine / temperature. For row i, from the query:

        -log( e^s(q_i,p_i) / ( e^s(q_i,p_i) + Σ_{j≠i} e^s(q_i,p_j) + Σ_k w_ik e^s(q_i,n_ik) ) )

    and mirrored, with p_i as the anchor, the other queries and the same row's hard negatives. A weight multiplies the
    exponential, which is an added log w on the logit; multiplying the similarity instead would reward a negative for
    being dissimilar and diverge.

    Args:
        queries, positives: L2-normalised, (rows, d).
        negatives: L2-normalised, (rows, k, d).
        weights: (rows, k), ≥ 0; 0 leaves a place out (rows with fewer than k negatives are padded so).
        same: (rows, rows) bool; True at (i, j) where p_j is relevant to q_i too, so that it is no negative of i.
            The diagonal is ignored.
        temperature: τ > 0 (0.07 in CLIP and in the rental recipe); a scalar tensor where it is learned.
        foreign: (rows, rows, k) bool; True at (i, j, k) where n_jk is a negative of row i too: Σ e^s(q_i,n_jk) over
            these joins the sum, and Σ e^s(p_i,n_jk) the mirrored one. They weigh 1: a weight says how a listing
            differs from its own row's. None: there are none.

    Source: van den Oord et al. 2018 (InfoNCE); Radford et al. 2021 (symmetric).
    """
    rows = torch.arange(len(queries), device=queries.device)
    others = same.clone()
    others[rows, rows] = False
    log_weights = torch.log(weights)  # log 0 = -inf drops the place
    in_batch = queries @ positives.T / temperature
    losses = []
    for anchor, logits, masked in ((queries, in_batch, others), (positives, in_batch.T, others.T)):
        hard = torch.einsum("id,ikd->ik", anchor, negatives) / temperature + log_weights
        terms = [logits.masked_fill(masked, float("-inf")), hard]
        if foreign is not None:
            theirs = (anchor @ negatives.flatten(0, 1).T / temperature).view(foreign.shape)
            terms.append(theirs.masked_fill(~foreign, float("-inf")).flatten(1))
        losses.append(torch.logsumexp(torch.cat(terms, dim=1), dim=1) - logits[rows, rows])
    return torch.stack(losses).mean()


def chance_level(weights: Tensor, same: Tensor, foreign: Tensor | None = None) -> float:
    """`weighted_info_nce` where all similarities are equal: the mean over rows and directions of ln(1 + Σ effective
    negatives)."""
    rows = torch.arange(len(weights), device=weights.device)
    others = ~same
    others[rows, rows] = False
    hard = weights.sum(1) + (0 if foreign is None else foreign.flatten(1).sum(1))
    return torch.log1p(torch.stack([others.sum(1) + hard, others.sum(0) + hard])).mean().item()
