"""All checks asked, and their findings in order: the worst first, and a cause before what comes of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from rr.border import plugin_code
from rr.diagnosis import Evidence, Finding, Verdict
from rr.errors import PluginError
from rr.registry.plugins import Plugins
from rr_bench.doctor import curve, data, recipe, scored

Check = Callable[[Evidence], Finding | None]

CORE: Mapping[str, Check] = {
    "no-number": curve.no_number,
    "nothing-trained": curve.nothing_trained,
    "weights-did-not-move": curve.weights_did_not_move,
    "checkpoint-not-loaded": scored.checkpoint_not_loaded,
    "scores-differ": scored.scores_differ,
    "worse-than-base": scored.worse_than_base,
    "loss-at-chance": curve.loss_at_chance,
    "loss-flat": curve.loss_flat,
    "oscillating": curve.oscillating,
    "diverging": curve.diverging,
    "learning-rate": recipe.learning_rate,
    "warm-up": recipe.warm_up,
    "clipping": recipe.clipping,
    "weight-decay": recipe.weight_decay,
    "dropout": recipe.dropout,
    "steps": recipe.steps,
    "overfitted": curve.overfitted,
    "labels": data.labels,
    "truth-missing": data.truth_missing,
    "order": data.order,
    "history": data.history,
    "target-in-history": data.target_in_history,
    "candidates": data.candidates,
    "leak": data.leak,
    "duplicates": data.duplicates,
    "dev-split": data.dev_split,
    "mojibake": data.mojibake,
    "truncation": scored.truncation,
    "metric-does-not-follow": scored.metric_does_not_follow,
    "collapsed": scored.collapsed,
}
"""In the order of their certainty."""
WORST_FIRST: Sequence[str] = ("fault", "warning", "cannot tell", "ok")
RANKS: Mapping[str, int] = {verdict: rank for rank, verdict in enumerate(WORST_FIRST)}


@dataclass(frozen=True)
class Diagnosis:
    """Check → finding, in the order in which they are told."""

    findings: Mapping[str, Finding]

    @property
    def verdict(self) -> Verdict:
        """The worst; where nothing could be told, that."""
        told = [finding.verdict for finding in self.findings.values()]
        bad = [verdict for verdict in told if RANKS[verdict] < RANKS["cannot tell"]]
        if bad:
            return min(bad, key=RANKS.__getitem__)
        return "ok" if "ok" in told else "cannot tell"

    @property
    def leading(self) -> tuple[str, Finding] | None:
        """The first fault or warning."""
        bad = ((name, one) for name, one in self.findings.items() if RANKS[one.verdict] < RANKS["cannot tell"])
        return next(bad, None)

    @property
    def line(self) -> str:
        """`fault: weights-did-not-move (moved 2e-09 of their norm)`."""
        return (
            self.verdict if self.leading is None else f"{self.verdict}: {self.leading[0]} ({self.leading[1].evidence})"
        )


def diagnose(evidence: Evidence, plugins: Plugins) -> Diagnosis:
    """The findings of all checks, those of plugins behind those of the core that are as bad. A plugin's check that
    breaks says so in the place of its finding; `RR_STRICT=1` raises instead."""
    found: dict[str, Finding] = {}
    for name, check in CORE.items():
        if (finding := check(evidence)) is not None:
            found[name] = finding
    for registered in plugins.of_kind("check"):
        name = full = f"{registered.distribution}/{registered.component.name}"
        if registered.component.name not in {*CORE, *found}:  # else another one is called so
            name = registered.component.name
        try:
            finding = _asked(plugins, full, evidence)
        except PluginError as error:
            if os.environ.get("RR_STRICT") == "1":
                raise
            finding = Finding("cannot tell", str(error))
        if finding is not None:
            found[name] = finding
    return Diagnosis(ordered(found))


def _asked(plugins: Plugins, name: str, evidence: Evidence) -> Finding | None:
    """
    Raises:
        PluginError: the check broke, or answered something else than a finding.
    """
    check = plugins.load("check", name)
    with plugin_code(f"check {name!r} broke"):
        answer: object = check(evidence)
    texts = ("evidence", "meaning", "command")
    if answer is None or (
        isinstance(answer, Finding)
        and answer.verdict in RANKS
        and all(isinstance(getattr(answer, text), str) for text in texts)
    ):
        return answer
    raise PluginError(f"check {name!r} answered {answer!r}, which is no rr.Finding")


def listed(diagnosis: Diagnosis) -> list[dict[str, str]]:
    """The findings as JSON has them, in their order."""
    return [
        {
            "check": name,
            "verdict": one.verdict,
            "evidence": one.evidence,
            "meaning": one.meaning,
            "command": one.command,
        }
        for name, one in diagnosis.findings.items()
    ]


def ordered(found: Mapping[str, Finding]) -> dict[str, Finding]:
    """A cause takes the verdict of the worst that it explains, and is told before all of that."""
    bad = {name: one for name, one in found.items() if RANKS[one.verdict] < RANKS["cannot tell"]}
    explained: dict[str, set[str]] = {name: _explained(name, bad) for name in bad}
    raised = dict(found)
    for name, consequences in explained.items():
        worst = min((bad[one].verdict for one in (name, *consequences)), key=RANKS.__getitem__)
        raised[name] = replace(found[name], verdict=worst)
    places = {name: place for place, name in enumerate(found)}
    # of two that explain each other the one that is more certain is the cause
    causes = Counter(
        other
        for name, others in explained.items()
        for other in others
        if name not in explained[other] or places[name] < places[other]
    )
    order = sorted(raised, key=lambda name: (RANKS[raised[name].verdict], causes[name], places[name]))
    return {name: raised[name] for name in order}


def _explained(name: str, bad: Mapping[str, Finding]) -> set[str]:
    """What follows from it, over several steps; never itself."""
    seen: set[str] = set()
    left = [name]
    while left:
        named = bad[left.pop()].explains
        new = ({*bad} if "*" in named else {*named} & {*bad}) - seen - {name}
        seen |= new
        left += sorted(new)
    return seen
