"""Registers the cross-encoder's scorers and trainer."""

from __future__ import annotations

from rr import Component, hookimpl

REQUIRES = ("torch", "transformers", "safetensors")
SETTINGS = "rr_cross_encoder.settings"


@hookimpl
def rr_register_scorers() -> list[Component]:
    return [
        Component(
            "cross_encoder",
            "rr_cross_encoder.scorer:CrossEncoderScorer",
            "Sequence-classification model with one logit over query and document together",
            REQUIRES,
            settings=f"{SETTINGS}:CrossEncoderSettings",
            uses=("rr_torch",),
        ),
        Component(
            "flag_reranker",
            "rr_cross_encoder.flag:FlagScorer",
            "FlagEmbedding's FlagReranker on the same checkpoints",
            (*REQUIRES, "FlagEmbedding"),
            settings=f"{SETTINGS}:FlagRerankerSettings",
            uses=("rr_torch",),
        ),
    ]


@hookimpl
def rr_register_trainers() -> list[Component]:
    return [
        Component(
            "cross_encoder",
            "rr_cross_encoder.trainer:CrossEncoderTrainer",
            "Binary cross-entropy or a listwise loss with hard and random negatives, all weights",
            (*REQUIRES, "sentence-transformers"),
            settings=f"{SETTINGS}:CrossEncoderTraining",
            uses=("rr_torch",),
            trains="cross_encoder",
        )
    ]


@hookimpl
def rr_register_checks() -> list[Component]:
    return [
        Component("pos-weight", "rr_cross_encoder.checks:pos_weight", "The weight of positive pairs"),
        Component("easy-negatives", "rr_cross_encoder.checks:easy_negatives", "Negatives that teach nothing"),
    ]
