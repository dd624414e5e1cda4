"""A plugin of someone else's for tests of the doctor: a trainer without torch that learns, or fails as it is told."""

from __future__ import annotations

import math
from pathlib import Path

from pydantic import Field

import rr
from rr.data import DataPath
from rr_data.readers.jsonl import Jsonl, Options
from tests.plugins.planted import planting


class Settings(planting.CounterSettings):
    fails: str = ""


class Files(rr.Settings):
    documents: DataPath = Field(json_schema_extra={"flag": "documents_file"})
    queries: DataPath = Field(json_schema_extra={"flag": "queries_file"})
    qrels: DataPath = Field(json_schema_extra={"flag": "qrels_file"})


class Reader(Jsonl):
    Settings = Files  # type: ignore[assignment]

    def __init__(self, settings: Files) -> None:
        super().__init__(Options(**settings.model_dump()))


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


@rr.hookimpl
def rr_register_readers() -> list[rr.Component]:
    return [rr.Component("three-files", f"{__name__}:Reader", "JSONL", settings=f"{__name__}:Files")]
