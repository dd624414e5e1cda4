"""Registers the baselines, like everyone else's rerankers."""

from __future__ import annotations

from rr import Component, hookimpl


@hookimpl
def rr_register_rerankers() -> list[Component]:
    return [
        Component("first_stage", "rr_baselines.order:FirstStage", "The candidates as the first stage ordered them"),
        Component("random", "rr_baselines.order:Random", "A seeded random order"),
    ]


@hookimpl
def rr_register_scorers() -> list[Component]:
    return [
        Component("bm25", "rr_baselines.bm25:Bm25Scorer", "BM25 with the candidates as its collection", ("bm25s",)),
        Component(
            "bi_encoder",
            "rr_baselines.bi_encoder:BiEncoderScorer",
            "Cosine of the embeddings of any sentence-transformers model",
            ("torch", "sentence-transformers"),
        ),
    ]
