"""A few examples trained on for a minute: a pipeline that works learns them by heart; one that does not is at fault
itself, whatever the data."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rr.border import plugin_code
from rr.diagnosis import Evidence, Finding
from rr.errors import RerankError
from rr.protocols import TrainingEvent
from rr.registry.plugins import Plugins
from rr.registry.resolve import checked_settings
from rr.types import Dataset
from rr_bench.data.view import shown, without_test
from rr_bench.keeping import home_at
from rr_bench.progress import Progress
from rr_bench.resolve import Resolved
from rr_bench.train.trainers import load_trainer, training_settings

EXAMPLES, SECONDS = 32, 60.0
LEARNT, ENOUGH_STEPS = 0.15, 50
PLAIN: dict[str, Any] = {
    "epochs": 200,
    "max_steps": None,
    "patience": None,
    "warmup": 0.0,
    "warmup_steps": None,
    "weight_decay": 0.0,
    "dropout": 0.0,
    "lora_dropout": 0.0,
    "evaluations": None,
    "eval_steps": 10**9,
    "save_steps": 10**9,
    "dev_ratio": None,
}
"""What trainers are told where they can be: nothing that keeps a model from learning by heart."""


class _EnoughError(RerankError):
    """Ends a training that has shown what was to be seen."""


def overfit(plugins: Plugins, resolved: Resolved, dataset: Dataset, progress: Progress) -> Finding:
    """
    Raises:
        RerankError: the entry has no trainer, or it broke.
    """
    told = training_settings(plugins, resolved)
    plain = {name: value for name, value in PLAIN.items() if name in type(told).model_fields}
    where = f"reranker {resolved.name!r}: training"
    settings = checked_settings(plugins, "trainer", str(resolved.entry.trainer), told.model_dump() | plain, where)
    train = dataset.splits["train"]
    few = tuple(random.Random(0).sample(train, min(EXAMPLES, len(train))))
    given = without_test(shown(replace(dataset, splits={"train": few, "dev": few, "test": ()})))
    events: list[TrainingEvent] = []
    started = time.perf_counter()

    def listen(event: TrainingEvent) -> None:
        events.append(event)
        if event.loss is not None:
            advance(1)
            if time.perf_counter() - started > SECONDS or _share(events) < LEARNT / 2:
                raise _EnoughError("enough")

    with (
        TemporaryDirectory(prefix="rr-overfit-") as folder,
        home_at(Path(folder) / "home"),
        progress.task(f"{dataset.name}: {resolved.name} learns {len(few)} queries by heart", None) as advance,
    ):
        out = Path(folder) / "out"
        out.mkdir()
        try:
            with plugin_code(f"training of {resolved.name!r} broke"):
                load_trainer(plugins, resolved)(settings, resolved.settings).train(given, out, listen)
        except _EnoughError:
            pass
    evidence = Evidence(reranker=resolved.name, dataset=dataset.name, training=settings.model_dump(), events=events)
    return _finding(evidence, len(few), _share(events))


def _share(events: list[TrainingEvent]) -> float:
    """The lowest mean loss of five steps on end, as a share of its chance level, or of where it began."""
    losses = [event for event in events if event.loss is not None]
    levels = [one.loss / (one.figures.get("chance") or losses[0].loss or 1.0) for one in losses if one.loss is not None]
    return min((sum(levels[n : n + 5]) / 5 for n in range(len(levels) - 4)), default=1.0)


def _finding(evidence: Evidence, queries: int, share: float) -> Finding:
    steps = len(evidence.series("loss"))
    text = f"{queries} queries, {steps} steps: loss {evidence.last('loss'):.3g}, {share:.0%} of chance at its lowest"
    if share < LEARNT:
        return Finding("ok", text, "it can learn: if it does not on all the data, look at these", "")
    if steps < ENOUGH_STEPS:
        return Finding("cannot tell", text, "a minute is too short here", "")
    return Finding(
        "fault",
        text,
        "what cannot learn a few examples by heart is broken itself (its loss, its labels, its rate): the data are not "
        "to blame",
        evidence.retrain(lr=f"{3 * evidence.number('lr', 1e-4):.2g}"),
    )
