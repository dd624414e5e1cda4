"""Training on a relevant document and its mined and random negatives: pair by pair, or against each other."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

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
    """A batch is `batch_size` pairs, or, where the loss is listwise, as many lists: a positive and its negatives."""

    loss: Literal["bce", "listwise"] = "bce"
    """bce: binary cross-entropy of each pair; listwise: cross-entropy of the positive among its negatives."""
    head_lr: float | None = Field(None, gt=0)
    """Of pooler and classifier, in place of `lr`; a random classifier needs more than the layers below it."""
    frozen_layers: int | None = Field(None, ge=0)
    """So many of the lowest layers, and the embeddings, stay as they are; null: all is trained."""
    dropout: float | None = Field(None, ge=0, lt=1)
    """In training; null: as the base model's config says."""

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
        pairs = PairModel(self._scorer_settings.model_copy(update={"dtype": "float32"}), None)
        prepare_for_training(pairs.model, settings)
        listwise = settings.loss == "listwise"
        items: Callable[..., list[Any]] = labelled_lists if listwise else weighted_pairs
        loss: Callable[[PairModel, Sequence[Any]], Tensor] = list_loss if listwise else pair_loss
        head_lr = settings.head_lr or settings.lr
        scorer = CrossEncoderScorer.of(pairs)
        with seeded(settings.seed + rank()):
            best = fit(
                pairs.model,
                [items(dataset, settings, epoch) for epoch in range(settings.epochs)],
                settings,
                loss=lambda rows: loss(pairs, rows),
                quality=lambda: ranking_quality(scorer, dataset),
                snapshot=lambda: copied(pairs.model.state_dict()),
                on_event=on_event,
                out=out,
                lr_of=lambda name: head_lr if in_head(pairs.model, name) else settings.lr,
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


def list_loss(pairs: PairModel, lists: Sequence[Sequence[LabelledPair]]) -> Tensor:
    """The mean over lists of -log softmax at the positive, which stands first in each (ListNet with one relevant
    document; Cao et al. 2007)."""
    encoded, _ = pairs.encode([(query, document) for rows in lists for query, document, _ in rows])
    logits = torch.split(pairs.logits(encoded), [len(rows) for rows in lists])
    return torch.stack([torch.logsumexp(values, 0) - values[0] for values in logits]).mean()


def in_head(model: Any, name: str) -> bool:
    """Whether the weight of this name belongs to pooler or classifier."""
    return not name.startswith(f"{model.base_model_prefix}.") or ".pooler." in name


def prepare_for_training(model: Any, settings: CrossEncoderTraining) -> None:
    """Freezes what is not to be trained and sets the dropout.

    Raises:
        RerankError: the model has no layers that could be frozen one by one.
    """
    if settings.frozen_layers is not None:
        encoder = getattr(model.base_model, "encoder", None)
        layers = getattr(encoder, "layer", None)
        if layers is None or settings.frozen_layers > len(layers):
            raise RerankError(
                f"cannot freeze {settings.frozen_layers} layers of {type(model).__name__}, which has "
                f"{0 if layers is None else len(layers)} encoder layers; lower frozen_layers or set it to null"
            )
        for part in (model.base_model.embeddings, *layers[: settings.frozen_layers]):
            part.requires_grad_(False)
    if settings.dropout is not None:
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = settings.dropout


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
    rows = [row for rows in _lists(dataset, settings, epoch, generator) for row in rows]
    generator.shuffle(rows)
    return rows


def labelled_lists(dataset: Dataset, settings: CrossEncoderTraining, epoch: int) -> list[list[LabelledPair]]:
    """The same pairs as lists, shuffled: a positive first, its negatives behind it."""
    generator = random.Random(f"{settings.seed} {epoch}")
    lists = _lists(dataset, settings, epoch, generator)
    generator.shuffle(lists)
    return lists


def _lists(
    dataset: Dataset, settings: CrossEncoderTraining, epoch: int, generator: random.Random
) -> list[list[LabelledPair]]:
    easy = epoch < settings.easy_epochs
    num_hard, num_random = (0, 1) if easy else (settings.num_hard_negatives, settings.num_random_negatives)
    lists: list[list[LabelledPair]] = []
    for query_id in dataset.splits["train"]:
        text = dataset.queries[query_id].text
        pool = [negative.document_id for negative in hard_negatives(dataset, query_id, settings.hard_neg_top_k)]
        for positive in sorted(dataset.relevant(query_id)):
            hard = generator.sample(pool, min(num_hard, len(pool)))
            others = random_negatives(dataset, query_id, num_random, generator, hard)
            negatives: list[LabelledPair] = [(text, dataset.documents[id_].content, 0.0) for id_ in (*hard, *others)]
            lists.append([(text, dataset.documents[positive].content, 1.0), *negatives])
    if all(len(rows) == 1 for rows in lists):
        raise RerankError("there are no negatives to train on; raise num_hard_negatives or num_random_negatives")
    return lists
