"""Trains the projection head alone."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from rr import Dataset, OnEvent
from rr.data import with_dev_share
from rr.training import DEV_METRICS, rank
from rr_head.batches import Batch, Row, Vectors, batch_of, training_rows
from rr_head.config import read_config
from rr_head.listings import ListingTask
from rr_head.loss import chance_level, weighted_info_nce
from rr_head.model import Trainee, initialise, make_head, save_head
from rr_head.scorer import HeadScorer
from rr_head.settings import HeadSettings, HeadTraining, ListingMetric
from rr_torch import PROBED, BatchLoss, FrozenEncoder, as_train, copied, fit, seeded

Loss = Callable[[Batch, Tensor], Tensor]


def info_nce(batch: Batch, temperature: Tensor) -> Tensor:
    return weighted_info_nce(
        batch.queries, batch.positives, batch.negatives, batch.weights, batch.same, temperature, batch.foreign
    )


def equal_scores_loss(loss: Loss, batch: Batch, temperature: Tensor) -> float:
    """The loss of a batch whose vectors all are the same one. It is `chance_level`, unless the loss weighs something
    else than exponentials."""
    ones = torch.ones_like(batch.queries[:, :1])
    negatives = torch.ones_like(batch.negatives[:, :, :1])
    return loss(replace(batch, queries=ones, positives=ones, negatives=negatives), temperature).item()


@torch.no_grad()
def neighbours(batch: Batch) -> dict[str, float]:
    """`negatives_nearer`: the share of hard negatives that are nearer to their query than its positive is;
    `batch_duplicates`: of other rows' positives that are relevant to a row, too."""
    own = (batch.queries * batch.positives).sum(dim=1)
    theirs = torch.einsum("id,ikd->ik", batch.queries, batch.negatives)
    counted, others = batch.weights > 0, batch.same.clone()
    others.fill_diagonal_(False)
    told = {"batch_duplicates": others.sum().item() / max(len(others) * (len(others) - 1), 1)}
    if counted.any():
        told["negatives_nearer"] = (theirs > own[:, None])[counted].double().mean().item()
    return told


class HeadTrainer:
    """AdamW on the head; every text is encoded once, by the frozen encoder. The epoch that ranks the dev split's
    listings best is kept, and the last one beside it."""

    Settings = HeadTraining
    read_config = staticmethod(read_config)

    def __init__(self, settings: HeadTraining, scorer_settings: HeadSettings) -> None:
        self._settings, self._scorer_settings = settings, scorer_settings

    def train(self, dataset: Dataset, out: Path, on_event: OnEvent) -> None:
        settings, scorer_settings = self._settings, self._scorer_settings
        if settings.dev_ratio is not None:
            dataset = with_dev_share(dataset, settings.dev_ratio, settings.seed)
        encoder = FrozenEncoder(scorer_settings)
        rows = training_rows(dataset, settings.num_hard_negatives)
        trained = train_head(encoder, rows, dataset, settings, scorer_settings, on_event, out)
        if rank() == 0:
            save_head(trained.head, trained.last, scorer_settings, trained.temperature, out, encoder.prompts)
            metrics = {f"listings {name}": value for name, value in trained.metrics.items()}
            figures = json.dumps({"metrics": metrics, "targets": {}}, ensure_ascii=False, indent=2)
            (out / DEV_METRICS).write_text(figures + "\n", encoding="utf-8")

    def quality(self, scorer: HeadScorer, dataset: Dataset) -> float:
        return listing_quality(scorer, ListingTask(dataset, "dev"), self._settings.dev_metric)


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
    loss: Loss = info_nce,
) -> Trained:
    """
    Raises:
        RerankError: there is nothing to train on, or the warm-up never ends.
    """
    epochs = [_shuffled(rows, settings.seed, epoch) for epoch in range(settings.epochs)]
    head = make_head(scorer_settings, encoder.dimensions, None).to(encoder.module.device)
    probes = {}
    if settings.record:
        asked = training_rows(as_train(dataset, "dev"), settings.num_hard_negatives)
        probes = {"train": rows[:: max(len(rows) // PROBED, 1)][:PROBED], "dev": asked[:PROBED]}
    vectors = Vectors(encoder, [row for one in (rows, *probes.values()) for row in one])
    initialise(head, settings.initialisation, scorer_settings.seed, vectors.matrix)
    trainee = Trainee(head, settings.temperature, settings.learn_temperature)
    scorer, task = HeadScorer.of(encoder, head), ListingTask(dataset, "dev")

    def batch_loss(rows: Sequence[Row]) -> BatchLoss:
        batch = batch_of(vectors, head, rows, settings.cross_row_negatives, settings.gather)
        chance = chance_level(batch.weights, batch.same, batch.foreign)
        return BatchLoss(loss(batch, trainee.temperature()), chance, vectors.truncated(rows))

    def told() -> dict[str, float]:
        first = batch_of(vectors, head, epochs[0][: settings.batch_size], settings.cross_row_negatives)
        return {
            "equal_scores_loss": equal_scores_loss(loss, first, trainee.temperature().detach()),
            "equal_scores_loss chance": chance_level(first.weights, first.same, first.foreign),
            **neighbours(first),
        }

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
            together=settings.gather,
            probes=probes,
            told=told,
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
