"""LoRA on the base model: cross-entropy over the letters at the one position that is scored."""

from __future__ import annotations

import random
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from pydantic import Field
from torch import Tensor
from transformers import get_cosine_schedule_with_warmup

from rr import Dataset, OnEvent, Request, RerankError, Settings, TrainingEvent
from rr.data.negatives import hard_negatives, random_negatives
from rr.evaluate.quality import ranking_quality
from rr.modeling.device import seeded
from rr_letters.labels import LETTERS
from rr_letters.model import LetterModel, LetterSettings
from rr_letters.scorer import LetterScorer


class LetterTraining(Settings):
    epochs: int = Field(5, gt=0)
    batch_size: int = Field(16, gt=0)
    """Prompts a step."""
    lr: float = Field(1e-4, gt=0)
    warmup: float = Field(0.1, ge=0, lt=1)
    """Share of the steps."""
    weight_decay: float = Field(0.01, ge=0)
    max_grad_norm: float = Field(1.0, gt=0)
    candidates: int = Field(20, gt=1, le=len(LETTERS))
    """A prompt: the target and its negatives, half of them hard, half random."""
    lora_r: int = Field(8, gt=0)
    lora_alpha: int = Field(16, gt=0)
    lora_dropout: float = Field(0.05, ge=0, lt=1)
    lora_targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")
    seed: int = 0


class LetterTrainer:
    """The epoch with the best nDCG@10 on the dev split is kept. Negatives and shuffles are fresh in every epoch, and
    every letter is the answer equally often."""

    Settings = LetterTraining

    def __init__(self, settings: LetterTraining, scorer_settings: LetterSettings) -> None:
        self._settings, self._scorer_settings = settings, scorer_settings

    def train(self, dataset: Dataset, out: Path, on_event: OnEvent) -> None:
        settings = self._settings
        letters = LetterModel(self._scorer_settings, None, dtype="float32")
        with seeded(settings.seed):
            letters.model = get_peft_model(
                letters.model,
                LoraConfig(
                    r=settings.lora_r,
                    lora_alpha=settings.lora_alpha,
                    lora_dropout=settings.lora_dropout,
                    target_modules=list(settings.lora_targets),
                    task_type="CAUSAL_LM",
                ),
            )
            best = self._fit(letters, dataset, on_event)
        set_peft_model_state_dict(letters.model, best)
        letters.save_adapter(out)

    def _fit(self, letters: LetterModel, dataset: Dataset, on_event: OnEvent) -> dict[str, Tensor]:
        settings, model = self._settings, letters.model
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        epochs = [choices(dataset, settings, epoch) for epoch in range(settings.epochs)]
        total = sum(-(-len(samples) // settings.batch_size) for samples in epochs)
        optimizer = torch.optim.AdamW(trained, lr=settings.lr, weight_decay=settings.weight_decay)
        schedule = get_cosine_schedule_with_warmup(optimizer, int(settings.warmup * total), total)
        step, best_quality, best = 0, -1.0, {}
        for samples in epochs:
            model.train()
            for start in range(0, len(samples), settings.batch_size):
                loss = letter_loss(letters, samples[start : start + settings.batch_size])
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(trained, settings.max_grad_norm)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
                step += 1
                on_event(TrainingEvent(step, total, loss=loss.item()))
            model.eval()
            quality = ranking_quality(LetterScorer.of(letters), dataset)
            on_event(TrainingEvent(step, total, dev=quality))
            if quality > best_quality:
                best_quality = quality
                best = {name: value.detach().clone() for name, value in get_peft_model_state_dict(model).items()}
        return best


def letter_loss(letters: LetterModel, samples: list[tuple[Request, int]]) -> Tensor:
    """The mean over prompts of -log softmax over the letters shown, at the answer's letter."""
    prompts = [letters.prompter.render(request).tokens for request, _ in samples]
    logits = letters.vocabulary_logits(letters.last_hidden(prompts))[:, letters.labels]
    shown = torch.tensor([len(request.candidates) for request, _ in samples], device=logits.device)
    absent = torch.arange(len(LETTERS), device=logits.device) >= shown[:, None]
    answers = torch.tensor([answer for _, answer in samples], device=logits.device)
    return torch.nn.functional.cross_entropy(logits.masked_fill(absent, float("-inf")), answers)


def choices(dataset: Dataset, settings: LetterTraining, epoch: int) -> list[tuple[Request, int]]:
    """(request, index of the truth among its candidates) for every relevant pair of the train split, in a seeded
    order. The truth's place walks through all letters, so that no letter is the answer more often than another.

    Raises:
        RerankError: no query of the train split has a negative.
    """
    generator = random.Random(f"{settings.seed} {epoch}")
    pairs = [(q, positive) for q in dataset.splits["train"] for positive in sorted(dataset.relevant(q))]
    generator.shuffle(pairs)
    samples = []
    for number, (query_id, positive) in enumerate(pairs):
        count = settings.candidates - 1
        pool = [negative.document_id for negative in hard_negatives(dataset, query_id, settings.candidates)]
        hard = generator.sample(pool, min(count // 2, len(pool)))
        negatives = hard + random_negatives(dataset, query_id, count - len(hard), generator, hard)
        generator.shuffle(negatives)
        place = number % (len(negatives) + 1)
        ids = [*negatives[:place], positive, *negatives[place:]]
        candidates = tuple(dataset.documents[id_] for id_ in ids)
        samples.append((Request(dataset.queries[query_id], candidates), place))
    if all(len(request.candidates) == 1 for request, _ in samples):
        raise RerankError("there are no negatives to choose from: every document is relevant")
    generator.shuffle(samples)
    return samples
