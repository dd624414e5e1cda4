"""Registers the scorer."""

from __future__ import annotations

from rr import Component, hookimpl


@hookimpl
def rr_register_scorers() -> list[Component]:
    return [
        Component(
            "sentence_transformers",
            "rr_sentence_transformers.scorer:SentenceTransformersScorer",
            "Any CrossEncoder, or SentenceTransformer by cosine, of sentence-transformers",
            ("torch", "transformers", "sentence-transformers"),
            settings="rr_sentence_transformers.settings:SentenceTransformersSettings",
            uses=("rr_torch",),
        )
    ]
