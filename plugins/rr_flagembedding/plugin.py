"""Registers the scorer."""

from __future__ import annotations

from rr import Component, hookimpl


@hookimpl
def rr_register_scorers() -> list[Component]:
    return [
        Component(
            "flagembedding",
            "rr_flagembedding.scorer:FlagEmbeddingScorer",
            "FlagEmbedding's FlagReranker and FlagLLMReranker",
            ("torch", "transformers", "safetensors", "FlagEmbedding>=1.4.2"),
            settings="rr_flagembedding.settings:FlagEmbeddingSettings",
            uses=("rr_torch",),
        )
    ]
