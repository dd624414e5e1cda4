"""Registers the letter verbalizer's scorer and trainer."""

from __future__ import annotations

from rr import Component, hookimpl

REQUIRES = ("torch", "transformers", "peft")


@hookimpl
def rr_register_scorers() -> list[Component]:
    return [
        Component(
            "letters",
            "rr_letters.scorer:LetterScorer",
            "Probability of each candidate's letter in one forward pass of a causal language model",
            REQUIRES,
            settings="rr_letters.settings:LetterSettings",
            uses=("rr_torch",),
        )
    ]


@hookimpl
def rr_register_trainers() -> list[Component]:
    return [
        Component(
            "letters",
            "rr_letters.trainer:LetterTrainer",
            "LoRA; the loss is over the letters at the answer's position, or over the next tokens",
            REQUIRES,
            settings="rr_letters.settings:LetterTraining",
            uses=("rr_torch",),
            trains="letters",
        )
    ]


@hookimpl
def rr_register_checks() -> list[Component]:
    return [
        Component(
            "template-parity",
            "rr_letters.checks:template_parity",
            "The loss of the same samples, as trained and as scored",
        ),
        Component("near-uniform", "rr_letters.checks:near_uniform", "Probabilities that hardly differ"),
        Component("label-mass", "rr_letters.checks:label_mass", "The letters' share of the probability"),
        Component("letter-bias", "rr_letters.checks:letter_bias", "One letter chosen over and over"),
        Component("lora-rank", "rr_letters.checks:lora_rank", "The scale of LoRA's updates"),
        Component("model-size", "rr_letters.checks:model_size", "A model that stops far from its answers"),
    ]
