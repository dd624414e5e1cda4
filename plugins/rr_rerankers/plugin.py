"""Registers the scorer."""

from __future__ import annotations

from rr import Component, hookimpl


@hookimpl
def rr_register_scorers() -> list[Component]:
    return [
        Component(
            "rerankers",
            "rr_rerankers.scorer:RerankersScorer",
            "Any local model of the rerankers library",
            ("torch", "transformers", "safetensors", "rerankers>=0.10"),
            settings="rr_rerankers.settings:RerankersSettings",
            uses=("rr_torch",),
        )
    ]
