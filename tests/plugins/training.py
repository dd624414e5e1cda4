"""Running a trainer under observation."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from rr import Dataset, Scorer, Scores, Trainer, TrainingEvent


@dataclass
class Observed:
    """What a training reported, and what the model in training answered to the dev requests after each epoch."""

    folder: Path
    events: list[TrainingEvent] = field(default_factory=list)
    answers: list[list[Sequence[float]]] = field(default_factory=list)
    scorer: Any = None

    @property
    def losses(self) -> list[float]:
        return [event.loss for event in self.events if event.loss is not None]

    @property
    def qualities(self) -> list[float]:
        """After steps; that of the start is left out."""
        return [event.dev for event in self.events if event.dev is not None and event.step > 0]

    @property
    def kept(self) -> list[Sequence[float]]:
        """The answers after the epoch that has to be kept: the first of the best."""
        return self.answers[self.qualities.index(max(self.qualities))]


def observe(
    trainer: Trainer,
    dataset: Dataset,
    folder: Path,
    qualities: Sequence[float] = (),
    measured_by: str = "ranking_quality",
) -> Observed:
    """Trains into `folder`; looks on where the trainer measures the dev split, by the function of its module that is
    called `measured_by`. `qualities`: what it is told there, epoch by epoch, in place of the truth."""
    module = importlib.import_module(type(trainer).__module__)
    measure: Callable[..., float] = getattr(module, measured_by)
    observed, told = Observed(folder), iter(qualities)

    def look_on(scorer: Scorer, *how: Any, **options: Any) -> float:
        observed.scorer = scorer
        if not observed.events:  # the start
            return measure(scorer, *how, **options)
        data = next((one for one in how if isinstance(one, Dataset)), dataset)
        observed.answers.append(values(scorer.score(data.requests("dev"))))
        return next(told) if qualities else measure(scorer, *how, **options)

    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, measured_by, look_on)
        trainer.train(dataset, folder, observed.events.append)
    return observed


def values(answers: Sequence[Scores | Sequence[float]]) -> list[Sequence[float]]:
    return [answer.values if isinstance(answer, Scores) else tuple(answer) for answer in answers]


def without_test_split(dataset: Dataset) -> Dataset:
    """The same data with everything about its test queries removed."""
    kept = {*dataset.splits["train"], *dataset.splits["dev"]}
    fields = ("queries", "qrels", "candidates", "first_stage", "hard_negatives")
    return replace(
        dataset,
        splits={**dataset.splits, "test": ()},
        **{name: {q: value for q, value in getattr(dataset, name).items() if q in kept} for name in fields},
    )
