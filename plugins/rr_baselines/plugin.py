"""Registers the baselines and the first stages, like everyone else's."""

from __future__ import annotations

from rr import Component, hookimpl

WORDS = "rr_baselines.settings:WordSettings"


@hookimpl
def rr_register_rerankers() -> list[Component]:
    return [
        Component("first_stage", "rr_baselines.order:FirstStage", "The candidates as the first stage ordered them"),
        Component("random", "rr_baselines.order:Random", "A seeded random order"),
    ]


@hookimpl
def rr_register_scorers() -> list[Component]:
    return [
        Component(
            "bm25",
            "rr_baselines.words:Bm25Scorer",
            "BM25 with the candidates as its collection",
            ("bm25s",),
            settings=WORDS,
        ),
        Component(
            "bi_encoder",
            "rr_baselines.bi_encoder:BiEncoderScorer",
            "Cosine of the embeddings of any sentence-transformers model",
            ("torch", "sentence-transformers"),
            settings="rr_torch.settings:EncoderSettings",
            uses=("rr_torch",),
        ),
    ]


@hookimpl
def rr_register_retrievers() -> list[Component]:
    return [
        Component("bm25", "rr_baselines.words:Bm25", "BM25 over the whole corpus", ("bm25s",), settings=WORDS),
        Component("tfidf", "rr_baselines.words:TfIdf", "Cosine of TF-IDF vectors", ("scikit-learn",), settings=WORDS),
        Component("run", "rr_baselines.sequences:GivenRun", "The run that the source brought along"),
        Component("given", "rr_baselines.sequences:GivenRun", "A query's own candidates, with or without scores"),
        Component("popularity", "rr_baselines.sequences:Popularity", "Items by how often train users met them"),
        Component("markov", "rr_baselines.sequences:Markov", "What came right after the last item, then popularity"),
        Component("item-knn", "rr_baselines.sequences:ItemKnn", "Cosine between the users of two items"),
    ]
