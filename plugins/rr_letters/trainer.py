"""LoRA on the base model, for the letter at the one position that is scored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from torch import Tensor

from rr import Dataset, OnEvent, RerankError
from rr.training import rank, ranking_quality
from rr_letters.labels import LETTERS
from rr_letters.model import LetterModel
from rr_letters.prompt import Prompt
from rr_letters.samples import Epoch, Sample, probe
from rr_letters.scorer import LetterScorer
from rr_letters.settings import LetterSettings, LetterTraining
from rr_torch import BatchLoss, evaluating, fit, pick_device, pick_dtype, quiet, restore, seeded, shards

FEW = 8
"""Samples that are asked about both ways."""


class LetterTrainer:
    """The evaluation with the best nDCG@10 on the dev split is kept. Negatives and shuffles are fresh in every epoch,
    and every letter is the answer equally often."""

    Settings = LetterTraining

    def __init__(self, settings: LetterTraining, scorer_settings: LetterSettings) -> None:
        self._settings, self._scorer_settings = settings, scorer_settings

    def train(self, dataset: Dataset, out: Path, on_event: OnEvent) -> None:
        settings = self._settings
        if settings.merge and self._scorer_settings.quantization != "none":
            raise RerankError("merge: true needs quantization: none; 4-bit weights cannot take an adapter up exactly")
        if settings.merge and shards():
            raise RerankError("merge: true needs whole weights, and FSDP shards them; set merge: false")
        letters = _loaded(self._scorer_settings)
        add_lora(letters, settings)
        # checkpointed layers are computed twice, and would write into the shared prefix's cache twice; through sharded
        # weights every process must make as many passes
        letter = settings.objective == "letters"
        share = letter and settings.questions > 1 and not settings.gradient_checkpointing and not shards()
        loss = partial(letter_loss, share=share) if letter else next_token_loss
        scorer = LetterScorer.of(letters)
        every_prefix = settings.samples == "every-prefix"
        probes = {
            split: probe(dataset, split, every_prefix, settings.candidates, settings.seed) for split in ("train", "dev")
        }
        epochs = [
            Epoch(dataset, every_prefix, settings.candidates, settings.seed, epoch, settings.questions)
            for epoch in range(settings.epochs)
        ]
        first = epochs[0][:FEW] if share else probes["train"][:FEW]
        with seeded(settings.seed + 1 + rank()):  # dropout
            best = fit(
                letters.model,
                epochs,
                settings,
                loss=lambda samples: loss(letters, samples),
                quality=lambda: ranking_quality(scorer, dataset),
                snapshot=lambda: adapter(letters),
                on_event=on_event,
                out=out,
                probes=probes,
                told=lambda: parity(letters, scorer, first, share),
            )
        restore(letters.model, adapter(letters), best)
        if rank() == 0:
            letters.save(out, settings.merge, best)


def _loaded(settings: LetterSettings) -> LetterModel:
    """The base in the number format that it is scored with; float16 alone has too small a range for gradients.

    Raises:
        RerankError: a 4-bit base on a CPU, where bitsandbytes computes no gradients.
    """
    device = pick_device()
    if settings.quantization != "none" and device.type == "cpu":
        raise RerankError("training over a 4-bit base needs a GPU; set quantization: none")
    half = pick_dtype(settings.dtype, device) == torch.float16
    return LetterModel(settings, None, dtype="float32" if half else None)


def add_lora(letters: LetterModel, settings: LetterTraining) -> None:
    """Freezes the base and lays trainable low-rank matrices over its targets (Hu et al. 2021)."""
    config = LoraConfig(
        r=settings.lora_r,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=list(settings.lora_targets),
        task_type="CAUSAL_LM",
    )
    options = {"use_reentrant": False}
    with quiet(), seeded(settings.seed):
        if letters.settings.quantization != "none":
            letters.model = prepare_model_for_kbit_training(letters.model, settings.gradient_checkpointing, options)
        elif settings.gradient_checkpointing:
            letters.model.gradient_checkpointing_enable(options)
        letters.model = get_peft_model(letters.model, config)


def adapter(letters: LetterModel) -> dict[str, Tensor]:
    """The trained weights by their names in the model."""
    return {name: weight.detach() for name, weight in letters.model.named_parameters() if weight.requires_grad}


def letter_loss(letters: LetterModel, samples: Sequence[Sample], share: bool = False) -> BatchLoss:
    """The mean over prompts of -log softmax over the letters shown, at the answer's letter. By chance: of ln C, C the
    prompt's candidates. `share`: what neighbours begin with is read once."""
    prompts = [letters.prompter.render(request) for request, _ in samples]
    logits = letters.label_logits(letters.last_hidden([prompt.tokens for prompt in prompts], share=share))
    shown = torch.tensor([len(request.candidates) for request, _ in samples], device=logits.device)
    absent = torch.arange(len(LETTERS), device=logits.device) >= shown[:, None]
    answers = torch.tensor([answer for _, answer in samples], device=logits.device)
    loss = torch.nn.functional.cross_entropy(logits.masked_fill(absent, float("-inf")), answers)
    return _told(loss, samples, prompts)


def next_token_loss(letters: LetterModel, samples: Sequence[Sample]) -> BatchLoss:
    """The mean over prompts and over their answers' tokens (the letter, the end of the turn) of -log softmax over the
    vocabulary: the prompt is masked, so only these positions need logits. By chance: half of ln C, for a model that
    knows the form of an answer and nothing else."""
    prompts = [letters.prompter.render(request) for request, _ in samples]
    answers = letters.labels[torch.tensor([answer for _, answer in samples])].tolist()
    answered = [[*prompt.tokens, answer] for prompt, answer in zip(prompts, answers, strict=True)]
    logits = letters.vocabulary_logits(letters.hidden(answered, last=2))
    ends = [letters.prompter.end_of_turn()] * len(prompts)
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor([*answers, *ends], device=logits.device))
    return _told(loss, samples, prompts, known=0.5)


@torch.no_grad()
def parity(
    letters: LetterModel, scorer: LetterScorer, samples: Sequence[Sample], share: bool = False
) -> dict[str, float]:
    """The loss of the same samples, as it is trained (`parity trained`) and as scores have it (`parity scored`), each
    asked alone: they differ where the two read different prompts, or the answer at different positions."""
    scores = [scorer.score([request])[0] for request, _ in samples]
    scored = [-math.log(max(one.values[answer], 1e-30)) for one, (_, answer) in zip(scores, samples, strict=True)]
    with evaluating(letters.model):
        trained = float(letter_loss(letters, samples, share=share).value)
    return {"parity trained": trained, "parity scored": sum(scored) / len(scored)}


def _told(loss: Tensor, samples: Sequence[Sample], prompts: Sequence[Prompt], known: float = 1.0) -> BatchLoss:
    """The loss with what is known of its batch. `known`: the share of the answer's tokens that chance cannot guess."""
    chance = known * sum(math.log(len(request.candidates)) for request, _ in samples) / len(samples)
    truncated = sum(prompt.cut for prompt in prompts) / len(prompts)
    return BatchLoss(loss, chance, truncated, [answer for _, answer in samples])
