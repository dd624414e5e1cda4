"""In Haystack's own pipelines, written and read again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import rr
from tests.plugins.integrations.helpers import BEST, QUERY, TEXTS, framework, named

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def _silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAYSTACK_TELEMETRY_ENABLED", "False")


@pytest.fixture
def hs(_silent: None) -> Any:
    return framework("rr_integrations.haystack")


def documents(hs: Any, scores: list[float | None] | None = None) -> list[Any]:
    return [
        hs.Document(id=f"h{place}", content=text, meta={"lang": "vi"}, score=score)
        for place, (text, score) in enumerate(zip(TEXTS, scores or [None] * 5, strict=True))
    ]


def test_in_a_pipeline_behind_a_retriever(hs: Any, small_registry: Path) -> None:
    haystack = framework("haystack")
    store = framework("haystack.document_stores.in_memory").InMemoryDocumentStore()
    store.write_documents(documents(hs))
    retriever = framework("haystack.components.retrievers.in_memory").InMemoryBM25Retriever(store, top_k=5)
    pipeline = haystack.Pipeline()
    pipeline.add_component("retriever", retriever)
    pipeline.add_component("ranker", hs.RegistryReranker("bm25", top_k=2, registry=str(small_registry)))
    pipeline.connect("retriever.documents", "ranker.documents")
    asked = {"retriever": {"query": QUERY}, "ranker": {"query": QUERY}}
    found = pipeline.run(asked)["ranker"]["documents"]
    assert {one.id for one in found} == {"h2", "h4"}
    assert found[0].meta == {"lang": "vi"}
    again = haystack.Pipeline.loads(pipeline.dumps(), allowed_modules=["rr_integrations.haystack"])
    assert again.run(asked)["ranker"]["documents"] == found
    ranker = again.get_component("ranker")
    assert ranker.run(QUERY, documents(hs))["documents"][0].id == "h4"
    assert ranker.to_dict() == pipeline.get_component("ranker").to_dict()
    assert ranker.to_dict()["init_parameters"] == {
        **{"reranker": "bm25", "top_k": 2, "min_probability": None, "probabilities": False},
        "registry": str(small_registry),
    }


def test_documents_stay_what_they_are(hs: Any, tmp_path: Path) -> None:
    given, ranker = documents(hs), hs.RegistryReranker(named(tmp_path, "words"))
    found = ranker.run(QUERY, given)["documents"]
    assert [one.id for one in found] == [f"h{place}" for place in BEST]
    assert [one.score for one in found] == [1.0, 1.0, 0.5, 0.5, 0.0]
    assert [one.score for one in given] == [None] * 5
    assert asyncio.run(ranker.run_async(QUERY, given))["documents"] == found
    assert ranker.run(QUERY, [])["documents"] == []
    assert len(ranker.run(QUERY, given, top_k=1)["documents"]) == 1
    twice = ranker.run(QUERY, [given[0], given[0]])["documents"]
    assert [one.id for one in twice] == ["h0", "h0"]
    with pytest.raises(rr.RerankError, match="top_n is 0"):
        ranker.run(QUERY, given, top_k=0)


def test_in_an_asynchronous_pipeline(hs: Any, tmp_path: Path) -> None:
    pipeline = framework("haystack").Pipeline()
    pipeline.add_component("ranker", hs.RegistryReranker(named(tmp_path, "words"), top_k=1))
    found = asyncio.run(pipeline.run_async({"ranker": {"query": QUERY, "documents": documents(hs)}}))
    assert [one.id for one in found["ranker"]["documents"]] == ["h4"]


def test_first_stage_probabilities_and_wrong_options(hs: Any, tmp_path: Path) -> None:
    shown = hs.RegistryReranker(named(tmp_path, "shown")).run(QUERY, documents(hs, [0.1, 0.5, 0.3, 0.2, 0.4]))
    assert [one.id for one in shown["documents"]] == ["h1", "h4", "h2", "h3", "h0"]
    ranker = hs.RegistryReranker(named(tmp_path, "shares"), min_probability=0.5, probabilities=True)
    assert [one.score for one in ranker.run(QUERY, documents(hs))["documents"]] == [1.0, 1.0, 0.5, 0.5]
    with pytest.raises(TypeError, match="there is no option 'regisry'; did you mean 'registry'"):
        hs.RegistryReranker("bm25", regisry="a.yaml")
