"""What `rr doctor` asks of the letter verbalizer."""

from __future__ import annotations

import math

from rr import Evidence, Finding
from rr_letters.settings import LetterTraining

SYMPTOMS = ("worse-than-base", "loss-at-chance", "loss-flat", "near-uniform", "metric-does-not-follow")
OURS = "rr_letters."
"""What the trainers begin with that these checks know."""
LOW_MASS, MANY_UNIFORM, ONE_PLACE = 0.5, 0.5, 0.6
FEW_TO_TELL = 10


def template_parity(evidence: Evidence) -> Finding | None:
    """The loss of the same samples, as it is trained and as it is scored."""
    trained, scored = evidence.last("parity trained"), evidence.last("parity scored")
    if math.isnan(trained) or evidence.settings.get("calibration", "none") != "none":
        return None
    text = f"loss of the same samples: {trained:.4f} as trained, {scored:.4f} as scored"
    rounding = 1e-3 if evidence.settings.get("dtype", "auto") in ("auto", "float32") else 0.05
    if abs(trained - scored) < rounding * max(scored, 1.0):
        return Finding("ok", text)
    return Finding(
        "fault",
        text,
        "training and scoring read different prompts (a chat template with and without its think block?), or the "
        "answer at different positions: the model is scored where it was never trained",
        evidence.command("doctor", "--explain", "template-parity"),
        (*SYMPTOMS, "label-mass", "overfitted", "steps", "collapsed"),
    )


def label_mass(evidence: Evidence) -> Finding | None:
    """The probability of the letters shown, among the whole vocabulary."""
    mass = evidence.diagnostics.get("label_mass")
    if mass is None or not evidence.scorer.startswith(OURS):
        return None
    text = f"the letters have {mass:.2g} of the probability"
    if mass >= LOW_MASS:
        return Finding("ok", text)
    return Finding(
        "warning",
        text,
        "most of what the model would say is no letter: it does not answer the question",
        evidence.retrain(objective="next-token"),
    )


def near_uniform(evidence: Evidence) -> Finding | None:
    """The share of queries whose probabilities have a standard deviation below .01."""
    share = evidence.diagnostics.get("uniform")
    if share is None or "label_mass" not in evidence.diagnostics:
        return None
    text = f"{share:.0%} of queries answered nearly uniformly (std < .01)"
    if share < MANY_UNIFORM:
        return Finding("ok", text)
    return Finding(
        "fault",
        text,
        "the probabilities say nothing: the order is noise",
        evidence.retrain(lr=f"{3 * evidence.number('lr', 1e-4):.2g}"),
        ("worse-than-base", "label-mass"),
    )


def letter_bias(evidence: Evidence) -> Finding | None:
    """How often the first answer is the same letter."""
    figures = evidence.diagnostics
    chosen = [figures[f"chosen {place}"] for place in range(len(figures)) if f"chosen {place}" in figures]
    if "label_mass" not in evidence.diagnostics or sum(chosen) < FEW_TO_TELL:
        return None
    place = max(range(len(chosen)), key=chosen.__getitem__)
    share = chosen[place] / sum(chosen)
    text = f"letter {place + 1} of {len(chosen)} is chosen in {share:.0%} of {sum(chosen):.0f} queries"
    if share < ONE_PLACE or len(chosen) < 3:
        return Finding("ok", text)
    return Finding(
        "warning",
        text,
        "it likes a letter, not a candidate: ask about several orders (permutations: 4), or divide the liking out",
        evidence.retrain(**{"settings.calibration": "content-free"}),
        ("worse-than-base",),
    )


def model_size(evidence: Evidence) -> Finding | None:
    """Whether a model that moves, and is given time, still does not learn its own training samples."""
    losses, chances = evidence.series("probe_train"), evidence.series("probe_train chance")
    parameters = evidence.record.get("parameters")
    if len(losses) < 4 or not chances or parameters is None or not evidence.trainer.startswith(OURS):
        return None
    values = [loss / chance for (_, loss), (_, chance) in zip(losses, chances, strict=False)]
    rank, candidates = int(evidence.number("lora_r")), int(evidence.number("candidates", 20))
    text = f"{parameters:,} parameters, LoRA rank {rank}, {candidates} candidates; loss {values[-1]:.0%} of chance"
    late = values[2 * len(values) // 3 :]
    devs = [figure for _, figure in evidence.series("dev")]
    learnt = len(devs) > 1 and max(devs[1:]) > devs[0] + 0.01
    if learnt or values[-1] < 0.85 or min(late) < 0.98 * min(values[: len(values) // 2 + 1]):
        return Finding("ok", text)
    return Finding(
        "warning",
        text,
        "the loss has stopped far from 0: fewer candidates, a higher rank (16, 32), or a larger base",
        evidence.retrain(lora_r=min(4 * rank, 64), lora_alpha=min(8 * rank, 128)),
        ("worse-than-base",),
    )


def lora_rank(evidence: Evidence) -> Finding | None:
    """The scale of what LoRA adds: alpha / r."""
    if not evidence.trainer.startswith(OURS):
        return None
    rank, alpha = evidence.number("lora_r"), evidence.number("lora_alpha")
    scale = alpha / rank
    text = f"rank {rank:g}, alpha {alpha:g}: updates are scaled by {scale:g}"
    if 0.1 <= scale <= 16:
        return Finding("ok", text)
    own = LetterTraining()
    return Finding(
        "fault",
        text,
        "what is trained hardly counts" if scale < 1 else "a small step of the adapter is a leap of the model",
        evidence.retrain(lora_r=own.lora_r, lora_alpha=own.lora_alpha),
        (*SYMPTOMS, "diverging", "learning-rate", "letter-bias", "label-mass", "model-size", "overfitted", "steps"),
    )
