"""A ranker for Haystack 2 and later: `pipeline.add_component("ranker", RegistryReranker("cross-encoder", top_k=5))`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import rr
from rr_integrations.sharing import answered, loaded, must_be_options, needs, request

with needs("haystack", "haystack"):
    from haystack import Document, component, default_to_dict


@component
class RegistryReranker:
    """Documents best first, each a copy with its score, or with `probabilities` its probability. The scores that they
    come with are the first stage's. `options` are of `rr.load`, and go with the name of a reranker."""

    def __init__(
        self,
        reranker: str | rr.NamedReranker,
        top_k: int | None = None,
        min_probability: float | None = None,
        probabilities: bool = False,
        **options: str | None,
    ) -> None:
        must_be_options(options)
        self.reranker, self.top_k, self.min_probability = reranker, top_k, min_probability
        self.probabilities, self.options = probabilities, options
        self._loaded: rr.NamedReranker | None = None

    def warm_up(self) -> rr.NamedReranker:
        self._loaded = self._loaded or loaded(self.reranker, **self.options)
        return self._loaded

    def to_dict(self) -> dict[str, Any]:
        told = {name: getattr(self, name) for name in ("top_k", "min_probability", "probabilities")}
        told["reranker"] = self.reranker if isinstance(self.reranker, str) else self.reranker.name
        return default_to_dict(self, **told, **self.options)  # type: ignore[no-any-return]

    @component.output_types(documents=list[Document])
    def run(self, query: str, documents: list[Document], top_k: int | None = None) -> dict[str, Any]:
        rankings = self.warm_up().rerank_all([self._request(query, documents)], **self._asked_for(top_k))
        return self._copies(documents, rankings[0])

    @component.output_types(documents=list[Document])
    async def run_async(self, query: str, documents: list[Document], top_k: int | None = None) -> dict[str, Any]:
        rankings = await self.warm_up().arerank_all([self._request(query, documents)], **self._asked_for(top_k))
        return self._copies(documents, rankings[0])

    def _asked_for(self, top_k: int | None) -> dict[str, Any]:
        return {"top_n": self.top_k if top_k is None else top_k, "min_probability": self.min_probability}

    def _copies(self, documents: list[Document], ranking: rr.Ranking) -> dict[str, Any]:
        found = answered(self.warm_up(), ranking, self.probabilities)
        return {"documents": [replace(documents[place], score=score) for place, score in found]}

    def _request(self, query: str, documents: list[Document]) -> rr.Request:
        return request(query, [one.content for one in documents], [one.score for one in documents])
