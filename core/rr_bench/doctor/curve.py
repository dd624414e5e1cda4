"""What the course of a training tells: its losses, its dev figures, and how far its weights moved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

from rr.diagnosis import Evidence, Finding

MOVED, HARDLY, EXPLODED = 5e-5, 1e-3, 5.0
"""Of weights, as a share of their norm at the start: frozen runs stay below 5e-8, healthy ones reach .01 to .5."""
CHANCE, FLAT = 0.97, 0.985
"""Shares of the chance level, and of the start, that a loss must fall below."""
SYMPTOMS = (
    *("worse-than-base", "loss-at-chance", "loss-flat", "oscillating", "diverging", "overfitted", "collapsed", "steps"),
    *("metric-does-not-follow", "near-uniform", "label-mass", "letter-bias", "order"),
)
"""What comes of other causes."""


def no_number(evidence: Evidence) -> Finding | None:
    """A loss that is NaN or infinite."""
    told = [event for event in evidence.events if _losses(event.loss, event.figures)]
    if not told and evidence.record.get("no_number"):
        return _in_the_base(evidence, "the base model answers NaN when it is loaded")
    if not told:
        return None
    broken = next((e for e in told if not all(map(math.isfinite, _losses(e.loss, e.figures)))), None)
    if broken is None:
        return Finding("ok", f"{len(told)} losses, all numbers")
    figure = next(loss for loss in _losses(broken.loss, broken.figures) if not math.isfinite(loss))
    if broken.step <= 1:  # no weight has changed by then
        return _in_the_base(evidence, f"the loss is {figure} at step {broken.step}, before any weight has changed")
    lr = rate(evidence)
    return Finding(
        "fault",
        f"the loss is {figure} at step {broken.step}, {evidence.last('loss'):.3g} before it; lr {lr:.3g}",
        "the weights have gone beyond what numbers hold: the rate is too high",
        evidence.retrain(lr=f"{lr / 10:.2g}"),
        (*SYMPTOMS, "learning-rate"),
    )


def _in_the_base(evidence: Evidence, text: str) -> Finding:
    return Finding(
        "fault",
        text,
        "NaN is in the base model already (its weights, or float16 where it needs bfloat16): no learning rate mends it",
        evidence.command("info", evidence.reranker or "NAME", "--load"),
        ("*",),
    )


def nothing_trained(evidence: Evidence) -> Finding | None:
    """No weight receives a gradient."""
    counts = [event.trained for event in evidence.events if event.trained is not None]
    if not counts:
        return None
    if max(counts):
        return Finding("ok", f"{max(counts):,} weights receive a gradient")
    return Finding(
        "fault",
        "0 weights receive a gradient",
        "everything is frozen: see what the trainer lets require a gradient (frozen layers, LoRA's targets)",
        evidence.retrain(frozen_layers="null"),
        ("*",),
    )


def weights_did_not_move(evidence: Evidence) -> Finding | None:
    """The distance of the weights from their start."""
    if not evidence.series("loss"):
        return None
    moved = evidence.series("moved")
    if len(moved) < 2:
        return Finding("cannot tell", "the trainer does not tell how far its weights moved (TrainingEvent.figures)")
    far = max(figure for _, figure in moved)
    text = f"moved {far:.2g} of their norm in {moved[-1][0]} steps, lr {rate(evidence):.3g}"
    if far >= MOVED:
        return Finding("ok", text)
    return Finding(
        "fault",
        text,
        "the model is the one that it was: the rate is far too low, or something undoes its steps",
        evidence.retrain(lr="2e-4"),
        (*SYMPTOMS, "learning-rate"),
    )


def loss_at_chance(evidence: Evidence) -> Finding | None:
    """The loss at the end against that of equal scores."""
    levels = [_level(evidence, name) for name in ("probe_train", "probe_dev", "loss")]
    found = [level for level in levels if level is not None]
    if not found:
        return None if not evidence.series("loss") else Finding("cannot tell", "the trainer states no chance level")
    # any of them: a base that knew the answers may lose some of train's confidence, and still know them; a probe of a
    # short training has few samples, and its steps have many
    loss, chance = min(found, key=lambda level: level[0] / level[1])
    text = f"loss {loss:.3g}, chance {chance:.3g}"
    if loss < CHANCE * chance:
        return Finding("ok", text)
    return Finding(
        "fault",
        f"{text}, at the end",
        "the scores say nothing about the training's own answers",
        evidence.retrain(lr=_higher(evidence)),
        ("worse-than-base", "near-uniform"),
    )


def loss_flat(evidence: Evidence) -> Finding | None:
    """Whether the loss fell from where it began."""
    courses = [losses for losses in _probes(evidence) if len(losses) > 1]
    if not courses:
        losses = _smoothed([figure for _, figure in evidence.series("loss")])
        if len(losses) < 2:
            return None if not losses else Finding("cannot tell", "there are too few steps to tell")
        courses = [losses]
    # either of them: of a few samples that the base knew already, the loss may rise while it falls of all others
    start, lowest = min(((one[0], min(one[1:])) for one in courses), key=lambda fall: fall[1] / max(fall[0], 1e-9))
    text = f"loss {start:.3g} at the start, {lowest:.3g} at its lowest"
    if lowest < FLAT * start:
        return Finding("ok", text)
    return Finding(
        "fault",
        text,
        "four more epochs of this change nothing: raise the rate (2e-4, then 5e-4), then look at the labels",
        evidence.retrain(lr=_higher(evidence)),
        ("worse-than-base", "near-uniform"),
    )


def oscillating(evidence: Evidence) -> Finding | None:
    """How much of its fall the loss takes back between evaluations: steps that are too long throw all samples about,
    those of train as those of dev."""
    courses = [losses for losses in _probes(evidence) if len(losses) >= 5]
    if not courses:
        return None
    losses, share = min(((course, _rises(course)) for course in courses), key=lambda one: one[1])
    text = f"the loss rises over {share:.0%} of its way, between {min(losses):.3g} and {max(losses):.3g}"
    learnt = losses[-1] < 0.5 * losses[0]  # however it came there
    if share < 0.35 or learnt or max(losses[1:]) - min(losses[1:]) < 0.1 * losses[0]:
        return Finding("ok", text)
    return Finding(
        "warning", text, "the steps are too long: lower the rate (5e-5)", evidence.retrain(lr=_lower(evidence))
    )


def diverging(evidence: Evidence) -> Finding | None:
    """A loss that ends above its start and above chance, or weights that have exploded."""
    losses = [figure for _, figure in evidence.series("probe_train")] or _smoothed(
        [figure for _, figure in evidence.series("loss")]
    )
    if len(losses) < 2:
        return None
    moved = evidence.last("moved", 0.0)
    chance = (_level(evidence, "probe_train") or _level(evidence, "loss") or (0.0, losses[0]))[1]
    text = f"loss {losses[0]:.3g} → {losses[-1]:.3g} (chance {chance:.3g}), weights moved {moved:.2g} of their norm"
    if moved < EXPLODED and (losses[-1] < 1.05 * losses[0] or losses[-1] < 1.05 * chance):
        return Finding("ok", text)
    return Finding(
        "fault",
        text,
        "it gets worse with every step: the rate is too high",
        evidence.retrain(lr=_lower(evidence, 10)),
        ("worse-than-base", "loss-at-chance", "oscillating", "loss-flat", "near-uniform", "collapsed", "learning-rate"),
    )


def overfitted(evidence: Evidence) -> Finding | None:
    """A dev peak long before the end, while the loss of what is trained on keeps falling."""
    devs = [(step, figure) for step, figure in evidence.series("dev") if step > 0]
    train, dev = _probes(evidence)
    if len(devs) < 4:
        return None
    best_step, best = max(devs, key=lambda one: (one[1], -one[0]))
    last_step, last = devs[-1]
    text = f"dev {best:.3f} at step {best_step}, {last:.3f} at step {last_step}"
    if len(dev) > 1 and train:
        text += f"; loss of train {train[-1]:.3g}, of dev {dev[-1]:.3g} (lowest {min(dev):.3g})"
    risen = len(dev) > 1 and dev[-1] > 1.5 * min(dev) and dev[-1] > 3 * train[-1]
    if best_step > last_step / 2 or not risen or last > best - 0.02:
        return Finding("ok", text)
    return Finding(
        "warning",
        text,
        "it learns its training queries by heart; the best evaluation is what was kept, the rest was lost time",
        evidence.retrain(epochs=max(round(evidence.number("epochs", 1) * best_step / last_step), 1)),
    )


def _probes(evidence: Evidence) -> list[list[float]]:
    """The losses of the fixed samples of train, and of those of dev, at each evaluation."""
    return [[figure for _, figure in evidence.series(f"probe_{split}")] for split in ("train", "dev")]


def _rises(losses: Sequence[float]) -> float:
    """The share of the way that a loss goes which leads upwards."""
    steps = [later - before for before, later in pairwise(losses)]
    way = sum(map(abs, steps))
    return sum(step for step in steps if step > 0) / way if way else 0.0


def _losses(loss: float | None, figures: object) -> list[float]:
    told = dict(figures) if isinstance(figures, dict) else {}
    return [one for one in (loss, told.get("probe_train"), told.get("probe_dev")) if one is not None]


def _level(evidence: Evidence, name: str) -> tuple[float, float] | None:
    """The last loss and its chance level; of steps, the mean of the last tenth."""
    chances = evidence.series("chance" if name == "loss" else f"{name} chance")
    losses = evidence.series(name)
    if not chances or not losses:
        return None
    span = max(len(losses) // 10, 1) if name == "loss" else 1
    return fmean(loss for _, loss in losses[-span:]), fmean(chance for _, chance in chances[-span:])


def _smoothed(losses: Sequence[float]) -> list[float]:
    """Means of tenths."""
    span = max(len(losses) // 10, 1)
    return [fmean(losses[start : start + span]) for start in range(0, len(losses) - span + 1, span)]


def rate(evidence: Evidence, default: float = math.nan) -> float:
    """The highest learning rate that was used."""
    return max((figure for _, figure in evidence.series("lr")), default=evidence.number("lr", default))


def _higher(evidence: Evidence) -> str:
    lr = rate(evidence)
    return next((text for text in ("2e-4", "5e-4") if lr < float(text)), f"{3 * lr:.2g}")


def _lower(evidence: Evidence, by: float = 3) -> str:
    lr = rate(evidence)
    return "5e-5" if 5e-5 < lr <= 5e-4 else f"{lr / by:.2g}"
