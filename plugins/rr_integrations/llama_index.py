"""A node postprocessor for LlamaIndex: `index.as_query_engine(node_postprocessors=[RegistryReranker(...)])`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import field_serializer

import rr
from rr_integrations.sharing import Options, answered, needs, request

with needs("llama_index", "llama-index"):
    from llama_index.core.postprocessor.types import BaseNodePostprocessor
    from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle


class RegistryReranker(Options, BaseNodePostprocessor):
    """Nodes best first, with their scores; the nodes themselves are not changed. The scores that they come with are the
    first stage's."""

    metadata_mode: MetadataMode = MetadataMode.NONE
    """Which of a node's metadata stand before its text."""

    @classmethod
    def class_name(cls) -> str:
        return "RegistryReranker"

    @field_serializer("reranker")
    def _by_name(self, reranker: Any) -> str:
        return self._loaded.name

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        (ranking,) = self._loaded.rerank_all([self._request(nodes, query_bundle)], **self.asked_for)
        return self._scored(nodes, ranking)

    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        (ranking,) = await self._loaded.arerank_all([self._request(nodes, query_bundle)], **self.asked_for)
        return self._scored(nodes, ranking)

    def _request(self, nodes: Sequence[NodeWithScore], query: QueryBundle | None) -> rr.Request:
        if query is None:
            raise ValueError("there is no query to rerank by; give query_str or query_bundle")
        texts = [one.node.get_content(metadata_mode=self.metadata_mode) for one in nodes]
        return request(query.query_str, texts, [one.score for one in nodes])

    def _scored(self, nodes: Sequence[NodeWithScore], ranking: rr.Ranking) -> list[NodeWithScore]:
        found = answered(self._loaded, ranking, self.probabilities)
        return [NodeWithScore(node=nodes[place].node, score=score) for place, score in found]
