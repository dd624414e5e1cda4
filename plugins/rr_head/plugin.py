"""Registers the projection head's scorer and trainer."""

from __future__ import annotations

from rr import Component, hookimpl

REQUIRES = ("torch", "sentence-transformers")


@hookimpl
def rr_register_scorers() -> list[Component]:
    return [
        Component(
            "head",
            "rr_head.scorer:HeadScorer",
            "Cosine of a linear projection of frozen sentence embeddings",
            REQUIRES,
        )
    ]


@hookimpl
def rr_register_trainers() -> list[Component]:
    return [
        Component(
            "head",
            "rr_head.trainer:HeadTrainer",
            "Symmetric weighted InfoNCE over the projection only; the encoder stays frozen",
            REQUIRES,
        )
    ]
