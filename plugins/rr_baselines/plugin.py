"""Registers the baselines and the first stages, like everyone else's."""

from __future__ import annotations

from rr import Component, hookimpl

SETTINGS = "rr_baselines.settings"
STAGES = "rr_baselines.first_stages"


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
            "rr_baselines.bm25:Bm25Scorer",
            "BM25 with the candidates as its collection",
            settings=f"{SETTINGS}:Bm25Settings",
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
        Component("bm25", f"{STAGES}.bm25:Bm25", "BM25 over the whole corpus", settings=f"{SETTINGS}:Bm25Settings"),
        Component(
            "tfidf",
            f"{STAGES}.tfidf:TfIdf",
            "Cosine of TF-IDF vectors",
            ("scikit-learn",),
            settings=f"{SETTINGS}:WordSettings",
        ),
        Component(
            "dense",
            f"{STAGES}.dense:Dense",
            "Cosine of the embeddings of any sentence-transformers model, over the whole corpus",
            ("torch", "sentence-transformers"),
            settings=f"{SETTINGS}:DenseSettings",
            uses=("rr_torch",),
        ),
        Component(
            "hybrid",
            f"{STAGES}.hybrid:Hybrid",
            "Several first stages as one, by reciprocal ranks",
            settings=f"{SETTINGS}:HybridSettings",
        ),
        Component("run", f"{STAGES}.sequences:GivenRun", "The run that the source brought along"),
        Component("given", f"{STAGES}.sequences:GivenRun", "A query's own candidates, with or without scores"),
        Component("popularity", f"{STAGES}.sequences:Popularity", "Items by how often train users met them"),
        Component("markov", f"{STAGES}.sequences:Markov", "What came right after the last item, then popularity"),
        Component("item-knn", f"{STAGES}.sequences:ItemKnn", "Cosine between the users of two items"),
    ]
