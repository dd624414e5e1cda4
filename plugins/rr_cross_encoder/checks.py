"""What `rr doctor` asks of the cross-encoder."""

from __future__ import annotations

from rr import Evidence, Finding

SYMPTOMS = (
    *("worse-than-base", "loss-at-chance", "loss-flat", "oscillating", "diverging", "overfitted", "steps"),
    *("metric-does-not-follow", "collapsed"),
)
OURS = "rr_cross_encoder."
"""What the trainers begin with that these checks know."""
HEAVY = 20.0
"""How many times what balances the classes a positive may weigh."""


def pos_weight(evidence: Evidence) -> Finding | None:
    """What a positive pair weighs, against what balances the classes."""
    given = evidence.training.get("pos_weight")
    if not evidence.trainer.startswith(OURS) or evidence.training.get("loss") != "bce":
        return None
    hard, others = (int(evidence.number(f"num_{kind}_negatives", 0)) for kind in ("hard", "random"))
    balance = float(max(hard + others, 1))
    if given == "auto":
        return Finding("ok", f"pos_weight auto: about {balance:g}")
    given = evidence.number("pos_weight")
    text = f"pos_weight {given:g}; {balance:g} balances the classes"
    if balance / HEAVY <= given <= balance * HEAVY:
        return Finding("ok", text)
    how = "all is called relevant, since nothing else costs anything"
    if given < balance:
        how = "all is called irrelevant, since nothing else costs anything"
    return Finding("fault", text, how, evidence.retrain(pos_weight="auto"), SYMPTOMS)


def easy_negatives(evidence: Evidence) -> Finding | None:
    """Whether the negatives teach anything about those that it will be asked about."""
    hard = evidence.number("num_hard_negatives")
    losses, chances = evidence.series("probe_train"), evidence.series("probe_train chance")
    if not evidence.trainer.startswith(OURS) or len(losses) < 2 or not chances:
        return None
    reload = evidence.record.get("reload") or {}
    text = f"{hard:g} hard negatives a positive; loss of train {losses[-1][1]:.3g} (chance {chances[-1][1]:.3g})"
    gain = (reload.get("found") or 0.0) - (reload.get("base") or 0.0)
    if hard > 0 or losses[-1][1] > 0.2 * chances[-1][1] or gain > 0.1:
        return Finding("ok", text)
    return Finding(
        "warning",
        text,
        "random negatives are told apart at once, and candidates are not random",
        evidence.retrain(num_hard_negatives=3),
        ("worse-than-base", "metric-does-not-follow", "overfitted"),
    )
