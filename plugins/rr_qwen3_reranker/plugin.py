"""Registers the scorer."""

from __future__ import annotations

from rr import Component, hookimpl


@hookimpl
def rr_register_scorers() -> list[Component]:
    return [
        Component(
            "qwen3_reranker",
            "rr_qwen3_reranker.scorer:Qwen3RerankerScorer",
            "Probability of yes, rather than no, by Qwen3-Reranker with its own prompt",
            ("torch", "transformers", "safetensors"),
            settings="rr_qwen3_reranker.settings:Qwen3RerankerSettings",
            uses=("rr_torch",),
        )
    ]
