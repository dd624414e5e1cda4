"""What `rr doctor` asks of the projection head."""

from __future__ import annotations

import math

from rr import Evidence, Finding

SYMPTOMS = (
    *("worse-than-base", "loss-at-chance", "loss-flat", "oscillating", "diverging", "overfitted", "steps"),
    *("weights-did-not-move", "learning-rate", "metric-does-not-follow", "collapsed"),
)
OURS = "rr_head."
"""What the trainers begin with that these checks know."""
COLDEST, HOTTEST = 0.01, 0.5
"""Temperatures that InfoNCE is used with."""


def negative_weights(evidence: Evidence) -> Finding | None:
    """The weights of hard negatives."""
    weights = evidence.data.get("weights")
    if not weights or not evidence.trainer.startswith(OURS):
        return None
    text = (
        f"{weights['negatives']} hard negatives weigh {weights['min']:g} to {weights['max']:g}, {weights['zero']:.0%} 0"
    )
    show = evidence.command("data", "show", evidence.dataset or "DATA")
    if weights["zero"] > 0.5:
        how = "a weight of 0 switches a negative off: these were never seen; see rr data weights"
        return Finding("fault" if weights["zero"] > 0.9 else "warning", text, how, show, SYMPTOMS)
    if weights["max"] > 100:
        how = "such a negative outweighs all others together; the recipe's weights end at 4"
        return Finding("fault", text, how, show, SYMPTOMS)
    return Finding("ok", text)


def loss_formula(evidence: Evidence) -> Finding | None:
    """The loss of a batch of equal vectors, which is ln(1 + Σ effective negatives)."""
    found, expected = evidence.last("equal_scores_loss"), evidence.last("equal_scores_loss chance")
    if math.isnan(expected):
        return None
    text = f"loss of equal vectors {found:.4g}, ln(1 + Σ weights) is {expected:.4g}"
    if abs(found - expected) < 0.01 * max(expected, 1.0):
        return Finding("ok", text)
    return Finding(
        "fault",
        text,
        "the weight is on the wrong side: it must multiply the exponential (log w on the logit), not the similarity",
        evidence.command("doctor", "--explain", "loss-formula"),
        SYMPTOMS,
    )


def temperature(evidence: Evidence) -> Finding | None:
    """τ, against those that InfoNCE is used with."""
    tau = evidence.number("temperature")
    if not evidence.trainer.startswith(OURS) or math.isnan(tau):
        return None
    start, chance = evidence.series("probe_train"), evidence.series("probe_train chance")
    text = f"τ {tau:g}" + (
        f"; loss {start[0][1]:.3g} before the first step, chance {chance[0][1]:.3g}" if chance else ""
    )
    if COLDEST <= tau <= HOTTEST:
        return Finding("ok", text)
    how = (
        "cosines divided by it hardly differ: nothing tells a positive from a negative"
        if tau > HOTTEST
        else "the nearest negative alone counts, and with all its noise"
    )
    return Finding("fault", text, how, evidence.retrain(temperature="0.07"), SYMPTOMS)


def negatives_nearer(evidence: Evidence) -> Finding | None:
    """Hard negatives that are nearer to their query than its positive, before training."""
    share = evidence.last("negatives_nearer")
    if math.isnan(share):
        return None
    text = f"{share:.0%} of hard negatives are nearer than their positive before training"
    if share < 0.95:
        return Finding("ok", text)
    return Finding(
        "warning",
        text,
        "they may be positives that nobody judged, or the labels are swapped",
        evidence.command("data", "show", evidence.dataset or "DATA"),
        ("worse-than-base",),
    )


def batch_duplicates(evidence: Evidence) -> Finding | None:
    """How often another row's positive answers a row too, so that it is no negative of it."""
    share = evidence.last("batch_duplicates")
    if math.isnan(share):
        return None
    text = f"{share:.0%} of a row's in-batch positives answer it too, and are left out"
    if share < 0.5:
        return Finding("ok", text)
    return Finding(
        "warning",
        text,
        "few in-batch negatives are left: the train split asks for the same documents over and over",
        evidence.command("data", "show", evidence.dataset or "DATA"),
        ("loss-flat", "loss-at-chance", "worse-than-base"),
    )
