"""Trains the projection head alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor

from rr import Dataset, HardNegative, OnEvent, RerankError
from rr.data.negatives import hard_negatives
from rr.evaluate.quality import ranking_quality
from rr.modeling.device import seeded
from rr.modeling.encoding import FrozenEncoder
from rr.modeling.fitting import FitSettings, copied, fit
from rr.processes import rank
from rr_head.loss import weighted_info_nce
from rr_head.model import HeadSettings, make_head, project, save_head
from rr_head.scorer import HeadScorer


class HeadTraining(FitSettings):
    """A batch is `batch_size` (query, positive) rows, each with its hard negatives."""

    SCHEDULE = "constant_with_warmup"

    epochs: int = Field(10, gt=0)
    batch_size: int = Field(128, gt=1)
    lr: float = Field(2e-4, gt=0)
    warmup: float = Field(0.0, ge=0, lt=1)
    temperature: float = Field(0.07, gt=0)
    num_hard_negatives: int = Field(3, ge=0)
    """A row; those that the data set names come first."""


@dataclass(frozen=True, slots=True)
class Row:
    query_id: str
    positive: str
    negatives: list[HardNegative]


class HeadTrainer:
    """AdamW on the head; every text is encoded once, by the frozen encoder. The epoch with the best nDCG@10 on the
    dev split is kept."""

    Settings = HeadTraining

    def __init__(self, settings: HeadTraining, scorer_settings: HeadSettings) -> None:
        self._settings, self._scorer_settings = settings, scorer_settings

    def train(self, dataset: Dataset, out: Path, on_event: OnEvent) -> None:
        settings = self._settings
        encoder = FrozenEncoder(self._scorer_settings)
        head = make_head(self._scorer_settings, encoder.dimensions, None).to(encoder.module.device)
        rows = training_rows(dataset, settings.num_hard_negatives)
        encoder([dataset.queries[row.query_id].text for row in rows])  # all at once, in the encoder's own batches
        encoder([dataset.documents[id_].content for row in rows for id_ in _documents(row)])
        scorer = HeadScorer.of(encoder, head)
        with seeded(settings.seed + rank()):
            best = fit(
                head,
                [_shuffled(rows, settings.seed, epoch) for epoch in range(settings.epochs)],
                settings,
                loss=lambda batch: batch_loss(encoder, head, dataset, batch, settings.temperature),
                quality=lambda: ranking_quality(scorer, dataset),
                snapshot=lambda: copied(head.state_dict()),
                on_event=on_event,
                out=out,
                divisible=False,  # the rows of a batch are each other's negatives
            )
        head.load_state_dict(best)
        if rank() == 0:
            save_head(head, self._scorer_settings, out)


def training_rows(dataset: Dataset, num_hard_negatives: int) -> list[Row]:
    """One row for every relevant (query, document) pair of the train split.

    Raises:
        RerankError: a negative weight, which no exponential can be multiplied by.
    """
    rows = []
    for query_id in dataset.splits["train"]:
        negatives = hard_negatives(dataset, query_id, num_hard_negatives)
        for negative in negatives:
            if not 0 <= negative.weight < float("inf"):
                raise RerankError(
                    f"query {query_id!r}: hard negative {negative.document_id!r} weighs {negative.weight}"
                )
        rows += [Row(query_id, positive, negatives) for positive in sorted(dataset.relevant(query_id))]
    return rows


def batch_loss(
    encoder: FrozenEncoder, head: torch.nn.Linear, dataset: Dataset, rows: Sequence[Row], temperature: float
) -> Tensor:
    """The weighted InfoNCE of one batch; rows with fewer hard negatives than the longest are padded with weight 0."""
    queries = project(head, encoder(dataset.queries[row.query_id].text for row in rows))
    positives = project(head, encoder(dataset.documents[row.positive].content for row in rows))
    width = max(len(row.negatives) for row in rows)
    weights = torch.zeros(len(rows), width, device=queries.device)
    ids: list[str] = []
    for index, row in enumerate(rows):
        weights[index, : len(row.negatives)] = torch.tensor([negative.weight for negative in row.negatives])
        padding = [row.positive] * (width - len(row.negatives))
        ids += [negative.document_id for negative in row.negatives] + padding
    negatives = queries.new_zeros(0, queries.shape[1])
    if ids:
        negatives = project(head, encoder(dataset.documents[id_].content for id_ in ids))
    relevant = [dataset.relevant(row.query_id) for row in rows]
    same = torch.tensor([[row.positive in mine for row in rows] for mine in relevant], device=queries.device)
    return weighted_info_nce(
        queries, positives, negatives.view(len(rows), width, queries.shape[1]), weights, same, temperature
    )


def _shuffled(rows: Sequence[Row], seed: int, epoch: int) -> list[Row]:
    return random.Random(f"{seed} {epoch}").sample(rows, len(rows))


def _documents(row: Row) -> list[str]:
    return [row.positive, *(negative.document_id for negative in row.negatives)]
