"""Binary cross-entropy on (query, document) pairs: 1 for relevant, 0 for mined and random negatives."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor

from rr import Dataset, OnEvent, RerankError
from rr.data.negatives import hard_negatives, random_negatives
from rr.evaluate.quality import ranking_quality
from rr.modeling.device import seeded
from rr.modeling.fitting import FitSettings, copied, fit
from rr.modeling.loading import quiet
from rr.processes import rank
from rr_cross_encoder.model import CrossEncoderSettings, PairModel
from rr_cross_encoder.scorer import CrossEncoderScorer

LabelledPair = tuple[str, str, float]
"""Query text, document text, label: 1.0 relevant, 0.0 not."""


class CrossEncoderTraining(FitSettings):
    """A batch is `batch_size` pairs."""

    num_hard_negatives: int = Field(3, ge=0)
    """A positive pair, drawn anew each epoch from the `hard_neg_top_k` hardest."""
    hard_neg_top_k: int = Field(100, gt=0)
    num_random_negatives: int = Field(1, ge=0)
    easy_epochs: int = Field(0, ge=0)
    """So many epochs at the start have one random negative a positive and no hard one: a small training set of hard
    negatives alone leaves the loss at chance."""


class CrossEncoderTrainer:
    """All weights are trained; the epoch with the best nDCG@10 on the dev split is kept.

    `pos_weight` is #negatives / #positives, so that both classes weigh the same whatever the sampling.
    """

    Settings = CrossEncoderTraining

    def __init__(self, settings: CrossEncoderTraining, scorer_settings: CrossEncoderSettings) -> None:
        self._settings, self._scorer_settings = settings, scorer_settings

    def train(self, dataset: Dataset, out: Path, on_event: OnEvent) -> None:
        settings = self._settings
        pairs = PairModel(self._scorer_settings.reference(), None)
        epochs = [weighted_pairs(dataset, settings, epoch) for epoch in range(settings.epochs)]
        scorer = CrossEncoderScorer.of(pairs)
        with seeded(settings.seed + rank()):
            best = fit(
                pairs.model,
                epochs,
                settings,
                loss=lambda rows: pair_loss(pairs, rows),
                quality=lambda: ranking_quality(scorer, dataset),
                snapshot=lambda: copied(pairs.model.state_dict()),
                on_event=on_event,
                out=out,
            )
        pairs.model.load_state_dict(best)
        if rank() > 0:
            return
        with quiet():
            pairs.model.save_pretrained(out)
            pairs.tokenizer.save_pretrained(out)


def pair_loss(pairs: PairModel, rows: Sequence[tuple[LabelledPair, float]]) -> Tensor:
    """The mean binary cross-entropy of a batch of (pair, weight of its term)."""
    encoded, _ = pairs.encode([(query, document) for (query, document, _), _ in rows])
    labels = torch.tensor([label for (_, _, label), _ in rows], device=pairs.device)
    weights = torch.tensor([weight for _, weight in rows], device=pairs.device)
    return torch.nn.functional.binary_cross_entropy_with_logits(pairs.logits(encoded), labels, weights)


def weighted_pairs(dataset: Dataset, settings: CrossEncoderTraining, epoch: int) -> list[tuple[LabelledPair, float]]:
    """The pairs of one epoch, a positive weighing as much as there are negatives to it (`pos_weight`)."""
    rows = labelled_pairs(dataset, settings, epoch)
    positives = sum(label for _, _, label in rows)
    pos_weight = (len(rows) - positives) / positives
    return [(row, pos_weight if row[2] else 1.0) for row in rows]


def labelled_pairs(dataset: Dataset, settings: CrossEncoderTraining, epoch: int) -> list[LabelledPair]:
    """The pairs of one epoch, shuffled; the same for the same seed and epoch.

    Raises:
        RerankError: no query of the train split has a negative.
    """
    generator = random.Random(f"{settings.seed} {epoch}")
    easy = epoch < settings.easy_epochs
    num_hard, num_random = (0, 1) if easy else (settings.num_hard_negatives, settings.num_random_negatives)
    rows: list[LabelledPair] = []
    for query_id in dataset.splits["train"]:
        text = dataset.queries[query_id].text
        pool = [negative.document_id for negative in hard_negatives(dataset, query_id, settings.hard_neg_top_k)]
        for positive in sorted(dataset.relevant(query_id)):
            hard = generator.sample(pool, min(num_hard, len(pool)))
            others = random_negatives(dataset, query_id, num_random, generator, hard)
            rows.append((text, dataset.documents[positive].content, 1.0))
            rows += [(text, dataset.documents[id_].content, 0.0) for id_ in (*hard, *others)]
    if all(label for _, _, label in rows):
        raise RerankError("there are no negatives to train on; raise num_hard_negatives or num_random_negatives")
    generator.shuffle(rows)
    return rows
