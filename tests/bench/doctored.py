"""A plugin of someone else's for tests of the doctor: a trainer without torch that learns, or fails as it is told."""

from __future__ import annotations

import math
from pathlib import Path

import rr
from tests.plugins.planted import planting


class Settings(planting.CounterSettings):
    fails: str = ""


class Trainer(planting.CounterTrainer):
    Settings = Settings  # type: ignore[assignment]

    def train(self, dataset: rr.Dataset, out: Path, on_event: rr.OnEvent) -> None:
        told = 0

        def tell(event: rr.TrainingEvent) -> None:
            nonlocal told
            told += 1
            on_event(event)
            if told == 4:
                self.fail(on_event)

        super().train(dataset, out, tell)

    def fail(self, on_event: rr.OnEvent) -> None:
        fails = getattr(self.settings, "fails", "")
        if fails == "error":
            raise rr.RerankError("there is <nothing> to train")
        if fails == "crash":
            raise ZeroDivisionError("by 0")
        if fails == "interrupt":
            import signal

            signal.raise_signal(signal.SIGINT)
        if fails == "nan":
            on_event(rr.TrainingEvent(4, 9, loss=math.nan))


@rr.hookimpl
def rr_register_scorers() -> list[rr.Component]:
    return [rr.Component("counter", "tests.plugins.planted.planting:CounterScorer", "Counts pairs of words")]


@rr.hookimpl
def rr_register_trainers() -> list[rr.Component]:
    return [rr.Component("counter", f"{__name__}:Trainer", "Counts pairs of words", trains="counter")]
