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
            settings="rr_head.settings:HeadSettings",
            uses=("rr_torch",),
        ),
        Component(
            "bge_m3_sparse",
            "rr_head.bge_m3:SparseScorer",
            "BGE-M3's lexical weights: the tokens that query and document share",
            (*REQUIRES, "FlagEmbedding"),
            settings="rr_torch.settings:TextModelSettings",
            uses=("rr_torch",),
        ),
        Component(
            "bge_m3_colbert",
            "rr_head.bge_m3:ColbertScorer",
            "BGE-M3's ColBERT vectors: every query token against its nearest document token",
            (*REQUIRES, "FlagEmbedding"),
            settings="rr_torch.settings:TextModelSettings",
            uses=("rr_torch",),
        ),
    ]


@hookimpl
def rr_register_trainers() -> list[Component]:
    return [
        Component(
            "head",
            "rr_head.trainer:HeadTrainer",
            "Symmetric weighted InfoNCE over the projection only; the encoder stays frozen",
            REQUIRES,
            settings="rr_head.settings:HeadTraining",
            uses=("rr_torch",),
            trains="head",
        )
    ]


@hookimpl
def rr_register_checks() -> list[Component]:
    return [
        Component("negative-weights", "rr_head.checks:negative_weights", "Weights of hard negatives"),
        Component("loss-formula", "rr_head.checks:loss_formula", "What the weights multiply"),
        Component("temperature", "rr_head.checks:temperature", "The temperature of InfoNCE"),
        Component("negatives-nearer", "rr_head.checks:negatives_nearer", "Hard negatives nearer than positives"),
        Component(
            "batch-duplicates", "rr_head.checks:batch_duplicates", "Positives of other rows that answer a row too"
        ),
    ]
