"""A document compressor for LangChain: `ContextualCompressionRetriever(base_compressor=RegistryReranker(...))`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import rr
from rr_integrations.sharing import Options, answered, needs, request

with needs("langchain_core", "langchain"):
    from langchain_core.documents import BaseDocumentCompressor, Document

if TYPE_CHECKING:
    from langchain_core.callbacks import Callbacks


class RegistryReranker(Options, BaseDocumentCompressor):
    """Documents best first, each a copy with its score as `relevance_score` of its metadata."""

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """
        Raises:
            RerankError: as `rr.NamedReranker.rerank`.
        """
        (ranking,) = self._loaded.rerank_all([_request(query, documents)], **self.asked_for)
        return self._copies(documents, ranking)

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """
        Raises:
            RerankError: likewise.
        """
        (ranking,) = await self._loaded.arerank_all([_request(query, documents)], **self.asked_for)
        return self._copies(documents, ranking)

    def _copies(self, documents: Sequence[Document], ranking: rr.Ranking) -> list[Document]:
        return [
            documents[place].model_copy(update={"metadata": {**documents[place].metadata, "relevance_score": score}})
            for place, score in answered(self._loaded, ranking, self.probabilities)
        ]


def _request(query: str, documents: Sequence[Document]) -> rr.Request:
    return request(query, [document.page_content for document in documents])
