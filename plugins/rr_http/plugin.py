"""Registers the scorer that asks a remote API."""

from __future__ import annotations

from rr import Component, hookimpl


@hookimpl
def rr_register_scorers() -> list[Component]:
    return [
        Component(
            "http",
            "rr_http.scorer:HttpScorer",
            "A remote rerank API: Cohere v1 or v2, Jina, Voyage, text-embeddings-inference",
            ("httpx", "tenacity"),
            settings="rr_http.settings:HttpSettings",
        )
    ]
