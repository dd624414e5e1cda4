"""`rr serve` asked by the clients that others have written, and by our own."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import rr
from rr_bench.serve.server import Server
from rr_http.scorer import HttpScorer
from rr_http.settings import HttpSettings
from rr_http.shapes import ShapeName
from tests.bench.served import PLUGINS, QUICK, REGISTRY, running

KEY = "a-key-of-this-test"
DOCUMENTS = ["a cat", "a dog", "the cat and a dog", "nothing"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("served"), "words", "bm25", "probable", keys=[KEY]) as found:
        yield found


@pytest.fixture
def expected(tmp_path: Path) -> list[tuple[int, float]]:
    (tmp_path / "r.yaml").write_text(REGISTRY, encoding="utf-8")
    ranking = rr.load("probable", registry=tmp_path / "r.yaml", plugins=PLUGINS).rerank("cat dog", DOCUMENTS)
    return [(int(id_), score) for id_, score in ranking.scores.items()]


@pytest.fixture
def connections() -> Iterator[httpx.Client]:
    """Which clients of cohere leave open."""
    with httpx.Client(**QUICK) as found:
        yield found


def imported(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own and of what it imports
        return pytest.importorskip(name)


def test_the_client_of_cohere_v1(server: Server, connections: httpx.Client, expected: list[tuple[int, float]]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = imported("cohere").Client(KEY, base_url=server.url, httpx_client=connections)
        found = client.rerank(model="probable", query="cat dog", documents=DOCUMENTS, return_documents=True)
        fields = client.rerank(
            query="cat dog", documents=[{"a": "x"}, {"a": "cat dog"}], rank_fields=["a"], max_chunks_per_doc=10
        )
    assert [(row.index, row.relevance_score) for row in found.results] == expected
    assert [row.document.text for row in found.results] == [DOCUMENTS[place] for place, _ in expected]
    assert [row.index for row in fields.results] == [1, 0]
    assert fields.meta.warnings


def test_the_client_of_cohere_v2(server: Server, connections: httpx.Client, expected: list[tuple[int, float]]) -> None:
    cohere = imported("cohere")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = cohere.ClientV2(KEY, base_url=server.url, httpx_client=connections)
        found = client.rerank(model="probable", query="cat dog", documents=DOCUMENTS, top_n=2)
        assert [(row.index, row.relevance_score) for row in found.results] == expected[:2]
        with pytest.raises(cohere.errors.NotFoundError, match="no model 'nosuch' is served here"):
            client.rerank(model="nosuch", query="cat dog", documents=DOCUMENTS)
        stranger = cohere.ClientV2("another", base_url=server.url, httpx_client=connections)
        with pytest.raises(cohere.errors.UnauthorizedError):
            stranger.rerank(model="words", query="x", documents=["y"])


def test_the_compressor_of_langchain_cohere(
    server: Server, connections: httpx.Client, expected: list[tuple[int, float]]
) -> None:
    langchain, core = imported("langchain_cohere.rerank"), imported("langchain_core.documents")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = imported("cohere").ClientV2(KEY, base_url=server.url, httpx_client=connections)
        compressor = langchain.CohereRerank(model="probable", client=client, top_n=3)
        given = [core.Document(text, metadata={"place": place}) for place, text in enumerate(DOCUMENTS)]
        found = compressor.compress_documents(given, "cat dog")
    assert [(one.metadata["place"], one.metadata["relevance_score"]) for one in found] == expected[:3]


@pytest.mark.parametrize("shape", ["cohere-v1", "cohere-v2", "jina", "tei"])
def test_our_own_client_gives_the_scores_that_the_model_gives(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: ShapeName
) -> None:
    """In windows too: what it is asked about at once is 32 documents in the shape of text-embeddings-inference."""
    monkeypatch.setenv("SERVED_KEY", KEY)
    model: dict[str, Any] = {} if shape == "tei" else {"model": "words"}
    settings = HttpSettings(shape=shape, url=server.url, key="SERVED_KEY", raw_scores=shape == "tei", **model)
    texts = [f"cat {'dog' * (n % 3)} {n}" for n in range(40)]
    request = rr.Request(rr.Query("q", "cat dog"), tuple(rr.Document(str(n), text) for n, text in enumerate(texts)))
    (found,) = HttpScorer(settings, None).score([request])
    (tmp_path / "r.yaml").write_text(REGISTRY, encoding="utf-8")
    ranking = rr.load("words", registry=tmp_path / "r.yaml", plugins=PLUGINS).rerank("cat dog", texts)
    from rr_bench.serve.scale import relevance

    told = list(ranking.scores.values()) if shape == "tei" else relevance(ranking, rr.ModelInfo("logit"), None)[1]
    by_id = dict(zip(ranking.scores, told, strict=True))
    assert list(found.values) == [by_id[str(n)] for n in range(40)]
    assert found.diagnostics["tokens"] > 0


def test_our_own_client_knows_what_answers(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what it keeps is of these weights."""
    monkeypatch.setenv("SERVED_KEY", KEY)
    version = HttpSettings(shape="tei", url=server.url, key="SERVED_KEY").version()
    assert version.startswith("model_id=words model_sha=")
