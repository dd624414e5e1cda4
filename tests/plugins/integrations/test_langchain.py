"""In LangChain's own retriever."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import rr
from tests.plugins.integrations.helpers import BEST, QUERY, TEXTS, framework, named

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def lc() -> Any:
    return framework("rr_integrations.langchain")


def documents(lc: Any) -> list[Any]:
    return [
        lc.Document(
            page_content=text, id=f"id-{place}" if place else None, metadata={"place": place, "nested": {"a": [1]}}
        )
        for place, text in enumerate(TEXTS)
    ]


class Given:
    """What a retriever finds, whatever is asked."""

    def __new__(cls, found: list[Any]) -> Any:
        core = framework("langchain_core.retrievers")

        class Retriever(core.BaseRetriever):  # type: ignore[misc, name-defined]
            def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Any]:
                return found

        return Retriever()


def test_in_a_contextual_compression_retriever(lc: Any, tmp_path: Path) -> None:
    module = framework("langchain_classic.retrievers.contextual_compression")
    found = documents(lc)
    compressor = lc.RegistryReranker(reranker=named(tmp_path, "words"), top_n=3)
    retriever = module.ContextualCompressionRetriever(base_compressor=compressor, base_retriever=Given(found))
    for answer in (retriever.invoke(QUERY), asyncio.run(retriever.ainvoke(QUERY))):
        assert [one.metadata["place"] for one in answer] == BEST[:3]
        assert [one.metadata["relevance_score"] for one in answer] == [1.0, 1.0, 0.5]
        assert [one.id for one in answer] == ["id-4", "id-2", "id-1"]
        assert answer[0].metadata["nested"] == {"a": [1]}
    assert all("relevance_score" not in one.metadata for one in found)  # which may be a store's own
    empty = module.ContextualCompressionRetriever(base_compressor=compressor, base_retriever=Given([]))
    assert empty.invoke(QUERY) == [] == list(compressor.compress_documents([], QUERY))


def test_a_name_is_loaded_with_its_options(lc: Any, small_registry: Path) -> None:
    found = lc.RegistryReranker(reranker="bm25", registry=str(small_registry)).compress_documents(documents(lc), QUERY)
    expected = rr.load("bm25", registry=str(small_registry)).rerank(QUERY, TEXTS)
    assert [one.metadata["place"] for one in found] == [int(item.document.id) for item in expected]
    assert [one.metadata["relevance_score"] for one in found] == list(expected.scores.values())


def test_probabilities(lc: Any, tmp_path: Path) -> None:
    shares = named(tmp_path, "shares")
    compressor = lc.RegistryReranker(reranker=shares, min_probability=0.75, probabilities=True)
    found = compressor.compress_documents(documents(lc), QUERY)
    assert [one.metadata["relevance_score"] for one in found] == [1.0, 1.0]
    assert lc.RegistryReranker(reranker=shares, min_probability=1).compress_documents(documents(lc), "no such") == []
    words = lc.RegistryReranker(reranker=named(tmp_path, "words"), probabilities=True)
    with pytest.raises(rr.RerankError, match="not calibrated"):
        words.compress_documents(documents(lc), QUERY)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"reranker": 7}, "reranker is int; give a name of the registry, or what rr.load gave"),
        ({"reranker": "bm26"}, "did you mean 'bm25'"),
        ({"reranker": "bm25", "top_n": 0}, "top_n"),
        ({"reranker": "bm25", "topn": 3}, "topn"),
        ({"reranker": "bm25", "min_probability": 2}, "min_probability"),
    ],
)
def test_what_cannot_be_is_told_when_it_is_made(lc: Any, small_registry: Path, given: Any, words: str) -> None:
    with pytest.raises(Exception, match=words):
        lc.RegistryReranker(registry=small_registry if isinstance(given["reranker"], str) else None, **given)


def test_a_loaded_reranker_takes_no_options(lc: Any, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="dataset goes with the name of a reranker"):
        lc.RegistryReranker(reranker=named(tmp_path, "words"), dataset="rooms")
