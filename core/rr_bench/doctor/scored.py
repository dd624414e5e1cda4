"""What the checkpoint answers, against what the training said of it."""

from __future__ import annotations

import math

from rr.diagnosis import Evidence, Finding
from rr_bench.doctor.curve import MOVED, SYMPTOMS, rate

NOISE = 0.25
"""How far a mean over one query is off, about; over n queries it is the root of n less."""
HALF = ("fp16", "bf16", "merge")
"""Settings with which a checkpoint is not, to the bit, what was evaluated in training."""


def checkpoint_not_loaded(evidence: Evidence) -> Finding | None:
    """The dev metric of the checkpoint, loaded as its users will, against the one that it was selected by."""
    if evidence.record.get("unchanged"):
        moved = max((figure for _, figure in evidence.series("moved")), default=0.0)
        if 0 < moved < MOVED:
            return None  # there is nothing that could have been saved
        return Finding(
            "fault",
            f"the weights moved by {moved:.2g} of their norm, and the checkpoint scores as if it had none of them",
            "the adapter, or whatever was trained, is not saved, or not loaded",
            evidence.command("doctor", "--explain", "checkpoint-not-loaded"),
            (*SYMPTOMS, "scores-differ"),
        )
    reload, selected = evidence.record.get("reload"), evidence.record.get("best_dev")
    if not reload or selected is None or reload["metric"] != evidence.record.get("dev_metric"):
        return Finding("cannot tell", "the dev metric cannot be asked again") if evidence.record else None
    text = f"{reload['metric']} {selected:.4f} selected, {reload['found']:.4f} loaded"
    off = abs(reload["found"] - selected)
    rounded = any(evidence.training.get(name) for name in HALF) or reload["spread"] < 1e-4
    if off < (0.03 if rounded else 1e-3):  # scores that are nearly equal change places by rounding
        return Finding("ok", text)
    return Finding(
        "fault",
        text,
        "what is loaded is not what was selected: weights are missing from the checkpoint, or it is scored otherwise",
        evidence.command("doctor", "--explain", "checkpoint-not-loaded"),
        (*SYMPTOMS,),
    )


def scores_differ(evidence: Evidence) -> Finding | None:
    """Two scorings of the same queries by the same checkpoint."""
    reload = evidence.record.get("reload")
    if not reload:
        return None
    text = f"two scorings of dev differ by {reload['twice']:.2g}"
    if reload["twice"] < 1e-4:
        return Finding("ok", text)
    return Finding(
        "fault",
        text,
        "the scorer is random: it is in train mode (dropout), or draws something; call eval() when it is loaded",
        evidence.command("doctor", "--explain", "scores-differ"),
        (*SYMPTOMS, "checkpoint-not-loaded"),
    )


def worse_than_base(evidence: Evidence) -> Finding | None:
    """The dev metric of the checkpoint against that of its own base."""
    reload = evidence.record.get("reload")
    if not reload or reload["base"] is None:
        return None
    text = f"dev {reload['metric']} {reload['found']:.3f}, its base {reload['base']:.3f}"
    if reload["found"] > reload["base"] + 1e-9 or reload["base"] > 0.98:
        return Finding("ok", text)
    # so far as a few queries can tell
    clearly = reload["found"] < reload["base"] - NOISE / math.sqrt(max(reload["queries"], 1))
    return Finding(
        "fault" if clearly else "warning",
        f"{text}, of {reload['queries']} queries",
        "the training has made it no better than it was before the first step",
        evidence.retrain(lr=f"{rate(evidence, 1e-4) / 3:.2g}"),
    )


def truncation(evidence: Evidence) -> Finding | None:
    """The share of texts that were cut."""
    trained = [figure for _, figure in evidence.series("truncated")]
    scored = evidence.diagnostics.get("truncated")
    told = [*([f"{sum(trained) / len(trained):.0%} of texts cut in training"] if trained else [])]
    told += [f"{scored:.0%} in scoring"] if scored is not None else []
    if not told:
        return None
    worst = max([scored or 0.0, *([sum(trained) / len(trained)] if trained else [])])
    named = {name: evidence.number(name) for name in ("max_seq_length", "title_tokens", "max_tokens")}
    limits = {name: int(value) for name, value in named.items() if not math.isnan(value)}
    text = f"{', '.join(told)} ({', '.join(f'{name} {value}' for name, value in limits.items())})"
    if worst < 0.5:
        return Finding("ok", text)
    name, value = next(iter(limits.items()), ("max_seq_length", 256))
    if "title_tokens" in limits:
        name, value = "title_tokens", limits["title_tokens"]
    return Finding(
        "fault" if worst > 0.9 and int(value) <= 8 else "warning",
        text,
        "most of what there is to read is not read",
        evidence.retrain(**{name: 4 * int(value)}),
        (*SYMPTOMS, "labels"),
    )


def metric_does_not_follow(evidence: Evidence) -> Finding | None:
    """A loss of dev samples that falls, and a dev metric that does not."""
    losses = [figure for _, figure in evidence.series("probe_dev")]
    devs = evidence.series("dev")
    chances = [figure for _, figure in evidence.series("probe_dev chance")]
    if len(losses) < 2 or len(devs) < 2 or devs[0][0] != 0 or not chances:
        return None
    start, best = devs[0][1], max(figure for step, figure in devs if step > 0)
    text = f"loss of dev {losses[0]:.3g} → {min(losses):.3g} (chance {chances[-1]:.3g}), dev {start:.3f} → {best:.3f}"
    if min(losses) > 0.6 * min(losses[0], chances[-1]) or best > start + 0.02 or start > 0.9:
        return Finding("ok", text)
    return Finding(
        "fault",
        text,
        "it learns what it is trained on, and is asked something else: another prompt or template, other candidates, "
        "or another scorer than in training",
        evidence.command("doctor", "--explain", "metric-does-not-follow"),
        ("worse-than-base", "overfitted", "steps", "collapsed"),
    )


def collapsed(evidence: Evidence) -> Finding | None:
    """Scores that hardly differ between the candidates of a query."""
    reload = evidence.record.get("reload", {})
    constant = max(evidence.diagnostics.get("constant", 0.0), reload.get("diagnostics", {}).get("constant", 0.0))
    spread = reload.get("spread")
    if spread is None and "constant" not in evidence.diagnostics:
        return None
    text = f"{constant:.0%} of queries with equal scores"
    text += "" if spread is None else f", standard deviation within a query {spread:.2g}"
    if constant < 0.5 and (spread is None or spread > 1e-4):
        return Finding("ok", text)
    return Finding(
        "fault",
        text,
        "all candidates are the same to it: the order is that of their ids",
        evidence.retrain(lr=f"{rate(evidence, 1e-4) / 3:.2g}"),
        ("worse-than-base",),
    )
