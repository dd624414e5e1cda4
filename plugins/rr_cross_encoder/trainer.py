"""Binary cross-entropy on (query, document) pairs: 1 for relevant, 0 for mined and random negatives."""

from __future__ import annotations

import random
from pathlib import Path

import torch
from pydantic import Field
from transformers import get_linear_schedule_with_warmup

from rr import Dataset, OnEvent, RerankError, Settings, TrainingEvent
from rr.data.negatives import hard_negatives, random_negatives
from rr.evaluate.quality import ranking_quality
from rr.modeling.device import seeded
from rr_cross_encoder.model import CrossEncoderSettings, PairModel
from rr_cross_encoder.scorer import CrossEncoderScorer


class CrossEncoderTraining(Settings):
    epochs: int = Field(5, gt=0)
    batch_size: int = Field(8, gt=0)
    """Pairs a step."""
    lr: float = Field(2e-5, gt=0)
    warmup: float = Field(0.1, ge=0, lt=1)
    """Share of the steps."""
    weight_decay: float = Field(0.01, ge=0)
    max_grad_norm: float = Field(1.0, gt=0)
    num_hard_negatives: int = Field(3, ge=0)
    """A positive pair, drawn anew each epoch from the `hard_neg_top_k` hardest."""
    hard_neg_top_k: int = Field(100, gt=0)
    num_random_negatives: int = Field(1, ge=0)
    seed: int = 0


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
        with seeded(settings.seed):
            best = self._fit(pairs, dataset, on_event)
        pairs.model.load_state_dict(best)
        pairs.model.save_pretrained(out)
        pairs.tokenizer.save_pretrained(out)

    def _fit(self, pairs: PairModel, dataset: Dataset, on_event: OnEvent) -> dict[str, torch.Tensor]:
        settings, model = self._settings, pairs.model
        epochs = [labelled_pairs(dataset, settings, epoch) for epoch in range(settings.epochs)]
        total = sum(-(-len(rows) // settings.batch_size) for rows in epochs)
        optimizer = torch.optim.AdamW(model.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
        schedule = get_linear_schedule_with_warmup(optimizer, int(settings.warmup * total), total)
        step, best_quality, best = 0, -1.0, {}
        for rows in epochs:
            model.train()
            positives = sum(label for _, _, label in rows)
            weight = torch.tensor((len(rows) - positives) / positives, device=pairs.device)
            for start in range(0, len(rows), settings.batch_size):
                batch = rows[start : start + settings.batch_size]
                encoded, _ = pairs.encode([(query, document) for query, document, _ in batch])
                labels = torch.tensor([label for _, _, label in batch], device=pairs.device)
                loss = torch.nn.functional.binary_cross_entropy_with_logits(
                    pairs.logits(encoded), labels, pos_weight=weight
                )
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(model.parameters(), settings.max_grad_norm)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
                step += 1
                on_event(TrainingEvent(step, total, loss=loss.item()))
            model.eval()
            quality = ranking_quality(CrossEncoderScorer.of(pairs), dataset)
            on_event(TrainingEvent(step, total, dev=quality))
            if quality > best_quality:
                best_quality = quality
                best = {name: value.detach().clone() for name, value in model.state_dict().items()}
        return best


def labelled_pairs(dataset: Dataset, settings: CrossEncoderTraining, epoch: int) -> list[tuple[str, str, float]]:
    """(query text, document text, label) of one epoch, shuffled; the same for the same seed and epoch.

    Raises:
        RerankError: no query of the train split has a negative.
    """
    generator = random.Random(f"{settings.seed} {epoch}")
    rows: list[tuple[str, str, float]] = []
    for query_id in dataset.splits["train"]:
        text = dataset.queries[query_id].text
        pool = [negative.document_id for negative in hard_negatives(dataset, query_id, settings.hard_neg_top_k)]
        for positive in sorted(dataset.relevant(query_id)):
            hard = generator.sample(pool, min(settings.num_hard_negatives, len(pool)))
            others = random_negatives(dataset, query_id, settings.num_random_negatives, generator, hard)
            rows.append((text, dataset.documents[positive].content, 1.0))
            rows += [(text, dataset.documents[id_].content, 0.0) for id_ in (*hard, *others)]
    if all(label for _, _, label in rows):
        raise RerankError("there are no negatives to train on; raise num_hard_negatives or num_random_negatives")
    generator.shuffle(rows)
    return rows
