"""In LlamaIndex's own query engine, with its own index in memory, and nothing that is fetched."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import rr
from tests.plugins.integrations.helpers import BEST, QUERY, TEXTS, framework, named

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def li() -> Any:
    return framework("rr_integrations.llama_index")


def nodes(scores: list[float | None]) -> list[Any]:
    schema = framework("llama_index.core.schema")
    return [
        schema.NodeWithScore(node=schema.TextNode(text=text, id_=f"n{place}", metadata={"lang": "vi"}), score=score)
        for place, (text, score) in enumerate(zip(TEXTS, scores, strict=True))
    ]


def test_in_a_query_engine(li: Any, tmp_path: Path) -> None:
    core = framework("llama_index.core")
    index = core.VectorStoreIndex(
        [one.node for one in nodes([None] * 5)], embed_model=core.MockEmbedding(embed_dim=4), use_async=False
    )
    engine = index.as_query_engine(
        llm=framework("llama_index.core.llms").MockLLM(max_tokens=1),
        similarity_top_k=5,
        node_postprocessors=[li.RegistryReranker(reranker=named(tmp_path, "words"), top_n=2)],
    )
    for answer in (engine.query(QUERY), asyncio.run(engine.aquery(QUERY))):
        assert [one.score for one in answer.source_nodes] == [1.0, 1.0]
        assert {one.node.node_id for one in answer.source_nodes} == {"n2", "n4"}
        assert answer.source_nodes[0].node.metadata == {"lang": "vi"}


def test_nodes_stay_what_they_are(li: Any, tmp_path: Path) -> None:
    given = nodes([None] * 5)
    processor = li.RegistryReranker(reranker=named(tmp_path, "words"))
    found = processor.postprocess_nodes(given, query_str=QUERY)
    assert [one.node.node_id for one in found] == [f"n{place}" for place in BEST]
    assert found[0].node is given[4].node
    assert [one.score for one in given] == [None] * 5
    again = asyncio.run(processor.apostprocess_nodes(given, query_str=QUERY))
    assert [(one.node.node_id, one.score) for one in again] == [(one.node.node_id, one.score) for one in found]
    assert processor.postprocess_nodes([], query_str=QUERY) == []
    with pytest.raises(ValueError, match="there is no query to rerank by"):
        processor.postprocess_nodes(given)


def test_the_scores_of_the_first_stage_are_shown(li: Any, tmp_path: Path) -> None:
    processor = li.RegistryReranker(reranker=named(tmp_path, "shown"))
    found = processor.postprocess_nodes(nodes([0.1, 0.5, 0.3, 0.2, 0.4]), query_str=QUERY)
    assert [(one.node.node_id, one.score) for one in found][:2] == [("n1", 0.5), ("n4", 0.4)]
    with pytest.raises(rr.ScoringError):  # one of them has none, so that nothing is shown
        processor.postprocess_nodes(nodes([0.1, 0.5, 0.3, 0.2, None]), query_str=QUERY)


def test_metadata_are_read_where_that_is_said(li: Any, tmp_path: Path) -> None:
    modes = framework("llama_index.core.schema").MetadataMode
    for mode, score in ((modes.NONE, 0.0), (modes.ALL, 1.0)):
        processor = li.RegistryReranker(reranker=named(tmp_path, "words"), metadata_mode=mode)
        assert processor.postprocess_nodes(nodes([None] * 5), query_str="lang: vi")[0].score == score


def test_it_is_written_by_its_name(li: Any, small_registry: Path) -> None:
    one = li.RegistryReranker(reranker="bm25", registry=str(small_registry), top_n=2)
    again = li.RegistryReranker.from_dict(one.to_dict())
    assert (again.reranker, again.top_n, again.registry) == ("bm25", 2, str(small_registry))
    loaded = li.RegistryReranker(reranker=rr.load("bm25", registry=small_registry))
    assert loaded.to_dict()["reranker"] == "bm25"
