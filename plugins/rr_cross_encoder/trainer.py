"""Trains a cross-encoder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from rr import Dataset, OnEvent, RerankError
from rr.data import with_dev_share
from rr.training import DEV_METRICS, MiningSettings, mine, rank, ranking_quality
from rr_cross_encoder.checkpoints import Checkpoints
from rr_cross_encoder.dev_metrics import dev_metrics, labelled_requests
from rr_cross_encoder.losses import Tokenised, loss_of
from rr_cross_encoder.model import PairModel
from rr_cross_encoder.samples import Sample, group_samples, list_samples, pair_samples
from rr_cross_encoder.scorer import CrossEncoderScorer
from rr_cross_encoder.settings import CrossEncoderSettings, CrossEncoderTraining
from rr_torch import (
    PROBED,
    BatchLoss,
    as_train,
    fit,
    mixed_precision,
    pick_device,
    quiet,
    restore,
    seeded,
    shards,
    whole,
)

PROBE = -1
"""The epoch that no training has."""


class CrossEncoderTrainer:
    """The evaluation with the best `dev_metric` is kept. Beside the model lie `dev_metrics.json` and, if they are asked
    for, the last models that were saved on the way."""

    Settings = CrossEncoderTraining

    def __init__(self, settings: CrossEncoderTraining, scorer_settings: CrossEncoderSettings) -> None:
        self._settings, self._scorer_settings = settings, scorer_settings

    def train(self, dataset: Dataset, out: Path, on_event: OnEvent) -> None:
        settings = self._settings
        precision = mixed_precision(settings.fp16, settings.bf16, pick_device())
        if settings.dev_ratio is not None:
            dataset = with_dev_share(dataset, settings.dev_ratio, settings.seed)
        labelled_requests(dataset)  # it is an error now rather than after hours
        mined = mine(dataset, settings)
        samples = {"bce": pair_samples, "lce": group_samples}.get(settings.loss, list_samples)
        epochs = [samples(dataset, mined.pools, settings, epoch) for epoch in range(settings.epochs)]
        probes = {"train": samples(dataset, mined.pools, settings, PROBE)}
        own = as_train(dataset, "dev")
        probes["dev"] = samples(own, mine(own, MiningSettings()).pools, settings, PROBE)
        pairs = PairModel(self._scorer_settings.reference(), None)
        prepare_model(pairs.model, settings)
        scorer, head_lr = CrossEncoderScorer.of(pairs), settings.head_lr or settings.lr
        kept = Checkpoints(out, settings.save_total_limit) if settings.save_total_limit else None

        def keep(step: int) -> None:
            weights = whole(pairs.model.state_dict())
            if kept and rank() == 0:
                kept.save(step, lambda folder: pairs.save(folder, weights))

        with seeded(settings.seed + rank()):
            best = fit(
                pairs.model,
                epochs,
                in_lists(settings, epochs),
                loss=lambda batch: batch_loss(pairs, settings.loss, batch),
                quality=lambda: ranking_quality(scorer, dataset, name=settings.dev_metric),
                snapshot=pairs.model.state_dict,
                on_event=on_event,
                out=out,
                prepare=lambda batch: tokenised(pairs, batch),
                workers=settings.dataloader_num_workers,
                precision=precision,
                lr_of=lambda name: head_lr if in_head(pairs.model, name) else settings.lr,
                probes={split: found[:PROBED] for split, found in probes.items()},
                on_save=keep if kept else None,
            )
        restore(pairs.model, pairs.model.state_dict(), best)
        if rank() > 0 and not shards():
            return
        with precision.autocast():
            metrics = dev_metrics(scorer, dataset)
        if rank() > 0:
            return
        told = {**metrics, "notes": [*mined.notes, *(kept.notes() if kept else ())]}
        (out / DEV_METRICS).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        pairs.save(out, best)
        if kept:
            kept.show()


def in_lists(settings: CrossEncoderTraining, epochs: Sequence[Sequence[Sample]]) -> CrossEncoderTraining:
    """The settings with `batch_size` counted in samples: as many of the longest as have `batch_size` pairs."""
    longest = max((len(sample.documents) for samples in epochs for sample in samples), default=1)
    return settings.model_copy(update={"batch_size": max(settings.batch_size // longest, 1)})


def prepare_model(model: Any, settings: CrossEncoderTraining) -> None:
    """Freezes what is not to be trained, sets the dropout, and has gradients checkpointed.

    Raises:
        RerankError: the architecture cannot do what is asked of it.
    """
    kind = type(model).__name__
    if settings.frozen_layers is not None:
        layers = getattr(getattr(model.base_model, "encoder", None), "layer", ())
        if settings.frozen_layers > len(layers):
            raise RerankError(
                f"cannot freeze {settings.frozen_layers} layers of {kind}, which has {len(layers)} encoder layers; "
                "lower frozen_layers, or set it to null"
            )
        for part in (model.base_model.embeddings, *layers[: settings.frozen_layers]):
            part.requires_grad_(False)
    if settings.dropout is not None:
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = settings.dropout
    if settings.gradient_checkpointing:
        if not model.supports_gradient_checkpointing:
            raise RerankError(f"{kind} cannot checkpoint gradients; set gradient_checkpointing: false")
        with quiet():
            model.gradient_checkpointing_enable({"use_reentrant": False})


def in_head(model: Any, name: str) -> bool:
    """Whether the weight of this name belongs to pooler or classifier."""
    return not name.startswith(f"{model.base_model_prefix}.") or ".pooler." in name


def tokenised(pairs: PairModel, samples: Sequence[Sample]) -> list[Tokenised]:
    texts = [(sample.query, document) for sample in samples for document in sample.documents]
    rows = iter(zip(*pairs.encode(texts), strict=True))
    found = []
    for sample in samples:
        encoded, cut = zip(*(next(rows) for _ in sample.documents), strict=True)
        found.append(Tokenised(list(encoded), sample.labels, sample.weight, sum(cut)))
    return found


def batch_loss(pairs: PairModel, name: str, samples: Sequence[Tokenised]) -> BatchLoss:
    """By chance: the same loss, were all logits 0 (of weighted BCE, Σ w ln 2 / n)."""
    logits = pairs.logits([row for sample in samples for row in sample.rows])
    chance = loss_of(name, torch.zeros_like(logits), samples).item()
    pairs_in_all = sum(len(sample.rows) for sample in samples)
    return BatchLoss(loss_of(name, logits, samples), chance, sum(sample.cut for sample in samples) / pairs_in_all)
