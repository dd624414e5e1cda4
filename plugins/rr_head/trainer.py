"""Trains the projection head alone."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from rr import Dataset, OnEvent
from rr.training import DEV_METRICS, rank
from rr_head.batches import Batch, Row, Vectors, batch_of, training_rows
from rr_head.config import read_config
from rr_head.listings import ListingTask
from rr_head.loss import weighted_info_nce
from rr_head.model import Trainee, initialise, make_head, save_head
from rr_head.scorer import HeadScorer
from rr_head.settings import HeadSettings, HeadTraining, ListingMetric
from rr_torch import FrozenEncoder, copied, fit, seeded

BatchLoss = Callable[[Batch, Tensor], Tensor]


def info_nce(batch: Batch, temperature: Tensor) -> Tensor:
    return weighted_info_nce(
        batch.queries, batch.positives, batch.negatives, batch.weights, batch.same, temperature, batch.foreign
    )


class HeadTrainer:
    """AdamW on the head; every text is encoded once, by the frozen encoder. The epoch that ranks the dev split's
    listings best is kept, and the last one beside it."""

    Settings = HeadTraining
    read_config = staticmethod(read_config)

    def __init__(self, settings: HeadTraining, scorer_settings: HeadSettings) -> None:
        self._settings, self._scorer_settings = settings, scorer_settings

    def train(self, dataset: Dataset, out: Path, on_event: OnEvent) -> None:
        encoder = FrozenEncoder(self._scorer_settings)
        rows = training_rows(dataset, self._settings.num_hard_negatives)
        trained = train_head(encoder, rows, dataset, self._settings, self._scorer_settings, on_event, out)
        if rank() == 0:
            settings = self._scorer_settings
            save_head(trained.head, trained.last, settings, trained.temperature, out, encoder.prompts)
            metrics = {f"listings {name}": value for name, value in trained.metrics.items()}
            figures = json.dumps({"metrics": metrics, "targets": {}}, ensure_ascii=False, indent=2)
            (out / DEV_METRICS).write_text(figures + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Trained:
    """The best head and the temperature that it was trained with, the last one's weight, and how both rank the dev
    split (`listings.ListingTask.metrics`; the last one's end with ` (last)`)."""

    head: torch.nn.Linear
    temperature: float
    last: Tensor
    metrics: Mapping[str, float]


def train_head(
    encoder: FrozenEncoder,
    rows: Sequence[Row],
    dataset: Dataset,
    settings: HeadTraining,
    scorer_settings: HeadSettings,
    on_event: OnEvent,
    out: Path,
    loss: BatchLoss = info_nce,
) -> Trained:
    """
    Raises:
        RerankError: there is nothing to train on, or the warm-up never ends.
    """
    epochs = [_shuffled(rows, settings.seed, epoch) for epoch in range(settings.epochs)]
    head = make_head(scorer_settings, encoder.dimensions, None).to(encoder.module.device)
    vectors = Vectors(encoder, rows)
    initialise(head, settings.initialisation, scorer_settings.seed, vectors.matrix)
    trainee = Trainee(head, settings.temperature, settings.learn_temperature)
    scorer, task = HeadScorer.of(encoder, head), ListingTask(dataset, "dev")

    def batch_loss(batch: Sequence[Row]) -> Tensor:
        return loss(batch_of(vectors, head, batch, settings.cross_row_negatives), trainee.temperature())

    with seeded(settings.seed + rank()):
        best = fit(
            trainee,
            epochs,
            settings,
            loss=batch_loss,
            quality=lambda: listing_quality(scorer, task, settings.dev_metric),
            snapshot=trainee.state_dict,
            on_event=on_event,
            out=out,
            divisible=False,  # the rows of a batch are each other's negatives
        )
    last = copied(trainee.state_dict())
    metrics = {f"{name} (last)": value for name, value in task.metrics(scorer.embed).items()}
    trainee.load_state_dict(best)
    temperature = trainee.temperature().item() if settings.learn_temperature else settings.temperature
    return Trained(head, temperature, last["head.weight"], {**task.metrics(scorer.embed), **metrics})


def listing_quality(scorer: HeadScorer, task: ListingTask, name: ListingMetric) -> float:
    return task.metrics(scorer.embed)[name]


def _shuffled(rows: Sequence[Row], seed: int, epoch: int) -> list[Row]:
    return random.Random(f"{seed} {epoch}").sample(rows, len(rows))
