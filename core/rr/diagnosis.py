"""What a check of the doctor is asked about, and what it answers (`rr_register_checks`)."""

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rr.protocols import TrainingEvent

__all__ = ["Evidence", "Finding", "Verdict"]

Verdict = Literal["ok", "warning", "fault", "cannot tell"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A check's answer. `evidence`: figures, in one line. `meaning`: what follows from them. `command`: what to paste
    next. `explains`: the checks whose warnings and faults come of this one: it is told before them, and is as bad as
    the worst of them."""

    verdict: Verdict
    evidence: str
    meaning: str = ""
    command: str = ""
    explains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was recorded of one reranker; what was not is empty. `settings`, `training`: its scorer's and its trainer's,
    as JSON has them. `events`: of its training. `data`: the report of the data set (docs/data.md). `record`: what its
    checkpoint says of itself. `diagnostics`: means over the queries that were scored last. `error`: what its training
    ended with. `options`: what the command that it came of named (`--registry FILE`, `--batch-size=4`)."""

    reranker: str = ""
    dataset: str = ""
    scorer: str = ""
    trainer: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    events: Sequence[TrainingEvent] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)
    diagnostics: Mapping[str, float] = field(default_factory=dict)
    error: str = ""
    options: tuple[str, ...] = ()

    def series(self, name: str) -> list[tuple[int, float]]:
        """(step, figure) of the events that have it: `loss`, `dev`, or one of `TrainingEvent.figures`."""
        own = name if name in ("loss", "dev") else ""
        found = [(e.step, getattr(e, own) if own else e.figures.get(name)) for e in self.events]
        return [(step, figure) for step, figure in found if figure is not None]

    def last(self, name: str, default: float = math.nan) -> float:
        """The last figure of a series."""
        return self.series(name)[-1][1] if self.series(name) else default

    def command(self, verb: str, *arguments: str, **settings: object) -> str:
        """`rr VERB …` as it is pasted: `command("train", "head", "-d", "films", lr=2e-4)`."""
        flags = {f"--{key.replace('_', '-')}": f"{value}" for key, value in settings.items()}
        kept = [word for word in self.options if word.partition("=")[0].replace("_", "-") not in flags]
        return shlex.join(["rr", verb, *arguments, *(word for flag in flags.items() for word in flag), *kept])

    def number(self, name: str, default: float = math.nan) -> float:
        """A setting of the trainer, or of the scorer, where it is a number: each may call anything so."""
        value = self.training.get(name, self.settings.get(name))
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else default

    def retrain(self, **settings: object) -> str:
        """The command that trains it again with other settings, those of them that it has."""
        has = {"training": self.training, "settings": self.settings}
        if self.training:
            settings = {k: v for k, v in settings.items() if any(k in has[s] or k.startswith(f"{s}.") for s in has)}
        data = ("-d", self.dataset) if self.dataset else ()  # else `options` name its files
        return self.command("train", self.reranker or "NAME", *data, **settings)
