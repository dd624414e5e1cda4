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
