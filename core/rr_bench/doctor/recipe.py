"""What the settings of a training do to it, by the names that `rr_torch.FitSettings` and its kin have."""

from __future__ import annotations

import math
from statistics import median

from rr.diagnosis import Evidence, Finding
from rr_bench.doctor.curve import EXPLODED, HARDLY, SYMPTOMS

USUAL_DECAY = 0.1
ADAM_EPSILON = 1e-8
"""What Adam adds to the root of a gradient's second moment: a gradient as small as that moves nothing."""


def learning_rate(evidence: Evidence) -> Finding | None:
    """How far the rate has carried the weights."""
    rates, moved = evidence.series("lr"), evidence.series("moved")
    if not rates:
        return None
    rate = max(figure for _, figure in rates)
    if len(moved) < 2:
        return Finding("cannot tell", f"lr {rate:.3g}; the trainer does not tell how far its weights moved")
    far = max(figure for _, figure in moved)
    text = f"lr {rate:.3g} moved the weights by {far:.2g} of their norm in {rates[-1][0]} steps"
    if far > EXPLODED:
        return Finding("fault", text, "the rate is too high", evidence.retrain(lr=f"{rate / 10:.2g}"), SYMPTOMS)
    if far >= HARDLY:
        return Finding("ok", text)
    higher = next((value for value in ("2e-4", "5e-4") if rate < float(value)), f"{10 * rate:.2g}")
    return Finding("warning", text, "the rate is too low for so few steps", evidence.retrain(lr=higher), SYMPTOMS)


def warm_up(evidence: Evidence) -> Finding | None:
    """The share of the steps in which the rate only rises."""
    rates = evidence.series("lr")
    if len(rates) < 4:
        return None
    peak = max(figure for _, figure in rates)
    first = next(step for step, figure in rates if figure >= peak * (1 - 1e-9))
    total = max(evidence.events[-1].total, 1)  # of which a failed training has not seen all
    rising = (first - rates[0][0]) / total if rates[0][1] < peak else 0.0
    text = f"the rate rises for {rising:.0%} of {total} steps"
    if rising <= 0.4:
        return Finding("ok", text)
    return Finding(
        "fault" if rising > 0.7 else "warning",
        text,
        "most of the training is warm-up: the rate arrives when it is over",
        evidence.retrain(warmup="0.1"),
        (*SYMPTOMS, "weights-did-not-move", "learning-rate", "oscillating"),
    )


def clipping(evidence: Evidence) -> Finding | None:
    """What is left of the gradient after it was clipped."""
    norms = [figure for _, figure in evidence.series("gradient_norm") if math.isfinite(figure)]
    limit = evidence.number("max_grad_norm")
    trained = max((event.trained or 0 for event in evidence.events), default=0)
    if not norms or not limit > 0 or not trained:
        return None
    cut = sum(norm > limit for norm in norms) / len(norms)
    text = f"gradients of norm {median(norms):.2g}, clipped to {limit:g} in {cut:.0%} of the steps"
    if min(limit, median(norms)) / math.sqrt(trained) > 10 * ADAM_EPSILON or median(norms) <= limit:
        return Finding("ok", text)
    return Finding(
        "fault",
        text,
        f"what is left is as small as what Adam adds to every gradient ({ADAM_EPSILON:g} a weight): nothing moves",
        evidence.retrain(max_grad_norm="1.0"),
        (*SYMPTOMS, "weights-did-not-move", "learning-rate"),
    )


def weight_decay(evidence: Evidence) -> Finding | None:
    """The share of the weights that decays over the training: 1 - Π (1 - lr · decay)."""
    decay, rates = evidence.number("weight_decay"), [figure for _, figure in evidence.series("lr")]
    if math.isnan(decay) or not rates:
        return None
    per_step = max(rates) * decay
    lost = 1 - math.exp(-sum(rates) * decay)
    text = f"weight_decay {decay:g} at lr {max(rates):.3g} takes {min(lost, 1):.0%} of the weights"
    if decay <= USUAL_DECAY or (lost < 0.5 and per_step < 0.1):  # else it is the rate that is too high
        return Finding("ok", text)
    return Finding(
        "fault",
        text,
        "weights shrink faster than they learn",
        evidence.retrain(weight_decay="0.01"),
        (*SYMPTOMS, "weights-did-not-move", "learning-rate", "no-number", "checkpoint-not-loaded"),
    )


def dropout(evidence: Evidence) -> Finding | None:
    """The share of what layers compute that is thrown away in training."""
    told = {name: evidence.number(name) for name in evidence.training if "dropout" in name}
    found = {name: value for name, value in told.items() if not math.isnan(value)}
    if not found or not evidence.series("loss"):
        return None
    name, value = max(found.items(), key=lambda one: one[1])
    text = f"{name} {value:g}"
    if value < 0.5:
        return Finding("ok", text)
    return Finding(
        "fault",
        f"{text}; loss {evidence.last('loss'):.3g} with it, {evidence.last('probe_train'):.3g} without",
        "so much noise is in every step that little of it is learning",
        evidence.retrain(**{name: "0.1"}),
        (*SYMPTOMS, "weights-did-not-move", "learning-rate"),
    )


def steps(evidence: Evidence) -> Finding | None:
    """Whether there were enough of them: where the best evaluation lies."""
    losses = evidence.series("loss")
    if not losses:
        return (
            Finding("fault", "no step was taken", "there is nothing to train on", "", ("*",))
            if evidence.record.get("steps") == 0
            else None
        )
    count, devs = losses[-1][0], [one for one in evidence.series("dev") if one[0] > 0]
    start = next((figure for step, figure in evidence.series("dev") if step == 0), None)
    gained = start is not None and max((figure for _, figure in devs), default=start) > start + 0.02
    if count < 5 and not gained:
        return Finding(
            "fault",
            f"{count} steps",
            "so few steps cannot teach anything",
            evidence.retrain(epochs=max(10, round(20 * evidence.number("epochs", 1) / count)), max_steps="null"),
            SYMPTOMS,
        )
    if len(devs) < 3:
        return Finding("ok", f"{count} steps; too few evaluations to see where the best lies")
    best_step, best = max(devs, key=lambda one: (one[1], -one[0]))
    text = f"{count} steps, best dev {best:.3f} at step {best_step}"
    before = max((figure for step, figure in devs if step < best_step), default=0.0)
    if best_step == devs[-1][0] and best > before + 0.05 and _falling(evidence):
        return Finding(
            "warning",
            f"{text}, the last; {before:.3f} before it",
            "it was still getting better when it ended",
            evidence.retrain(epochs=2 * int(evidence.number("epochs", 1)), max_steps="null"),
        )
    return Finding("ok", text)


def _falling(evidence: Evidence) -> bool:
    losses = [figure for _, figure in evidence.series("probe_train")]
    return len(losses) > 2 and losses[-1] < 0.97 * losses[-2]
