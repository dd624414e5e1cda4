"""LoRA on the base model: cross-entropy over the letters at the one position that is scored."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from pydantic import Field
from torch import Tensor

from rr import Dataset, OnEvent, Request, RerankError
from rr.data.negatives import hard_negatives, random_negatives
from rr.evaluate.quality import ranking_quality
from rr.modeling.device import seeded
from rr.modeling.fitting import FitSettings, copied, fit
from rr.modeling.loading import quiet
from rr_letters.labels import LETTERS
from rr_letters.model import LetterModel
from rr_letters.settings import LetterSettings
from rr_letters.scorer import LetterScorer


class LetterTraining(FitSettings):
    """A batch is `batch_size` prompts."""

    SCHEDULE = "cosine"

    batch_size: int = Field(16, gt=0)
    lr: float = Field(1e-4, gt=0)
    candidates: int = Field(20, gt=1, le=len(LETTERS))
    """A prompt: the target and its negatives, half of them hard, half random."""
    lora_r: int = Field(8, gt=0)
    lora_alpha: int = Field(16, gt=0)
    lora_dropout: float = Field(0.05, ge=0, lt=1)
    lora_targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")


class LetterTrainer:
    """The epoch with the best nDCG@10 on the dev split is kept. Negatives and shuffles are fresh in every epoch, and
    every letter is the answer equally often."""

    Settings = LetterTraining

    def __init__(self, settings: LetterTraining, scorer_settings: LetterSettings) -> None:
        self._settings, self._scorer_settings = settings, scorer_settings

    def train(self, dataset: Dataset, out: Path, on_event: OnEvent) -> None:
        settings = self._settings
        letters = LetterModel(self._scorer_settings, None, dtype="float32")
        with quiet(), seeded(settings.seed):
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
        scorer = LetterScorer.of(letters)
        with seeded(settings.seed + 1):  # dropout
            best = fit(
                letters.model,
                [choices(dataset, settings, epoch) for epoch in range(settings.epochs)],
                settings,
                loss=lambda samples: letter_loss(letters, samples),
                quality=lambda: ranking_quality(scorer, dataset),
                snapshot=lambda: copied(get_peft_model_state_dict(letters.model)),
                on_event=on_event,
            )
        set_peft_model_state_dict(letters.model, best)
        letters.save_adapter(out)


def letter_loss(letters: LetterModel, samples: Sequence[tuple[Request, int]]) -> Tensor:
    """The mean over prompts of -log softmax over the letters shown, at the answer's letter."""
    prompts = [letters.prompter.render(request).tokens for request, _ in samples]
    logits = letters.label_logits(letters.last_hidden(prompts))
    shown = torch.tensor([len(request.candidates) for request, _ in samples], device=logits.device)
    absent = torch.arange(len(LETTERS), device=logits.device) >= shown[:, None]
    answers = torch.tensor([answer for _, answer in samples], device=logits.device)
    return torch.nn.functional.cross_entropy(logits.masked_fill(absent, float("-inf")), answers)


def choices(dataset: Dataset, settings: LetterTraining, epoch: int) -> list[tuple[Request, int]]:
    """(request, index of the truth among its candidates) for every relevant pair of the train split, in a seeded
    order. The truth's place walks through all letters, on from one epoch to the next, so that no letter is the answer
    more often than another.

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
        place = (epoch * len(pairs) + number) % (len(negatives) + 1)
        ids = [*negatives[:place], positive, *negatives[place:]]
        candidates = tuple(dataset.documents[id_] for id_ in ids)
        samples.append((Request(dataset.queries[query_id], candidates), place))
    if all(len(request.candidates) == 1 for request, _ in samples):
        raise RerankError("there are no negatives to choose from: every document is relevant")
    generator.shuffle(samples)
    return samples
