"""A first stage by embeddings: what it finds is what the scorer would, over the whole corpus."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rr import Corpus, Document, Query, Request, RerankError
from rr.files import home
from rr_baselines.bi_encoder import BiEncoderScorer
from rr_baselines.first_stages import vectors
from rr_baselines.first_stages.dense import Dense
from rr_baselines.settings import DenseSettings
from rr_bench.keeping import nothing_kept
from rr_torch import EncoderSettings, FrozenEncoder

DOCUMENTS = [Document(f"d{n}", f"offer {n % 70} of a {'red lamp' if n % 3 else 'quiet sea'}") for n in range(100)]
DOCUMENTS += [Document("blank", " \n"), Document("titled", "", "a lamp"), Document("NFC", "Phòng có gác lửng")]
QUERIES = [Query("lamp", "red lamp 12"), Query("blank", " "), Query("sea", "the sea"), Query("none", "")]
INDEXES = [{}, {"keep": "float16"}, {"index": "usearch"}, {"index": "usearch", "keep": "float16"}]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "BLOCK", 16)


def dense(model: Path, documents: Any = DOCUMENTS, **settings: Any) -> Dense:
    made = Dense(DenseSettings(model=str(model), max_seq_length=16, **settings))
    made.fit(Corpus(documents))
    return made


def best(scores: dict[str, float], depth: int) -> dict[str, float]:
    floor = min(sorted(scores.values(), reverse=True)[:depth], default=0.0)
    return {id_: score for id_, score in scores.items() if score >= floor}


def test_scores_are_those_of_the_bi_encoder(sentence_encoder: Path) -> None:
    scorer = BiEncoderScorer(EncoderSettings(model=str(sentence_encoder), max_seq_length=16))
    readable = tuple(document for document in DOCUMENTS if not document.blank)
    (there,) = scorer.score([Request(QUERIES[0], readable)])
    found = dense(sentence_encoder).scores(QUERIES[0])
    assert list(found) == [document.id for document in readable]
    assert list(found.values()) == pytest.approx(there.values, abs=1e-6)
    halves = dense(sentence_encoder, keep="float16").scores(QUERIES[0])
    assert list(halves.values()) == pytest.approx(there.values, abs=2e-3)


@pytest.mark.parametrize("settings", INDEXES, ids=str)
@pytest.mark.parametrize("depth", [1, 7, 1000])
def test_a_search_gives_the_best_with_the_same_scores(
    sentence_encoder: Path, settings: dict[str, Any], depth: int
) -> None:
    retriever = dense(sentence_encoder, **settings)
    found = list(retriever.search(QUERIES, depth))
    for query, answer in zip(QUERIES, found, strict=True):
        scores = retriever.scores(query)
        if "index" not in settings:
            assert answer == best(scores, depth)
        assert answer.items() <= scores.items()
        assert len(answer) >= min(depth, len(scores))
    assert found[1] == found[3] == {}


def test_equal_texts_have_equal_scores_wherever_they_stand(sentence_encoder: Path) -> None:
    retriever = dense(sentence_encoder)
    for scores in (retriever.scores(QUERIES[0]), *retriever.search(QUERIES[:1], 1000)):
        twins = [(f"d{n}", f"d{n + 70}") for n in range(30) if bool(n % 3) == bool((n + 70) % 3)]
        assert twins
        assert all(scores[one] == scores[other] for one, other in twins)
    (cut,) = retriever.search(QUERIES[:1], 1)
    assert len(cut) == sum(score == max(scores.values()) for score in scores.values())


def test_what_the_graph_finds_is_nearly_what_there_is(sentence_encoder: Path) -> None:
    """Over vectors of 400 documents that are all different, with the smallest graph."""
    documents = [Document(f"d{n}", f"{n} {n * n} {'abcdefgh'[n % 8]} falcon {n // 7}") for n in range(400)]
    queries = [Query(str(n), f"falcon {n} {n * n}") for n in range(50)]
    exact = dense(sentence_encoder, documents)
    graph = dense(sentence_encoder, documents, index="usearch", connectivity=4, expansion=16)
    pairs = list(zip(exact.search(queries, 10), graph.search(queries, 10), strict=True))
    assert sum(len(one.keys() & other.keys()) for one, other in pairs) > 0.9 * sum(len(one) for one, _ in pairs)


@pytest.mark.parametrize("settings", INDEXES, ids=str)
def test_two_homes_find_the_same(
    sentence_encoder: Path, settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for name in ("one", "two"):
        monkeypatch.setenv("RR_HOME", str(tmp_path / name))
        found.append(list(dense(sentence_encoder, **settings).search(QUERIES, 5)))
    assert found[0] == found[1]


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many documents were encoded, call by call."""
    calls: list[int] = []
    anew = FrozenEncoder.anew

    def counted(self: FrozenEncoder, texts: list[str], role: Any = "document") -> Any:
        calls.append(len(texts))
        return anew(self, texts, role)

    monkeypatch.setattr(FrozenEncoder, "anew", counted)
    return calls


def test_vectors_are_computed_once_and_of_a_corpus_that_grew_what_is_new(
    sentence_encoder: Path, encoded: list[int]
) -> None:
    first = dense(sentence_encoder)
    assert sum(encoded) == 102
    encoded.clear()
    again = dense(sentence_encoder)
    assert encoded == []
    assert again.scores(QUERIES[0]) == first.scores(QUERIES[0])
    dense(sentence_encoder, [*DOCUMENTS, Document("more", "more")])
    assert encoded == [7]  # the last block's 6 and the new one
    dense(sentence_encoder, keep="float16")
    assert sum(encoded[1:]) == 102


def test_damaged_vectors_are_computed_anew(sentence_encoder: Path, encoded: list[int]) -> None:
    before = dense(sentence_encoder).scores(QUERIES[0])
    encoded.clear()
    file = sorted((home() / "dense").glob("*/vectors.safetensors"))[0]
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    assert dense(sentence_encoder).scores(QUERIES[0]) == before
    assert len(encoded) == 1


def test_a_damaged_graph_is_made_anew(sentence_encoder: Path) -> None:
    before = list(dense(sentence_encoder, index="usearch").search(QUERIES, 5))
    (file,) = (home() / "dense").glob("*/graph.usearch")
    file.write_bytes(file.read_bytes()[:-1])
    assert list(dense(sentence_encoder, index="usearch").search(QUERIES, 5)) == before


@pytest.mark.parametrize("settings", INDEXES, ids=str)
def test_where_nothing_is_kept_it_finds_the_same(sentence_encoder: Path, settings: dict[str, Any]) -> None:
    before = list(dense(sentence_encoder, **settings).search(QUERIES, 5))
    with nothing_kept():
        assert list(dense(sentence_encoder, **settings).search(QUERIES, 5)) == before
        assert not (home() / "dense").exists()


@pytest.mark.parametrize("settings", INDEXES, ids=str)
@pytest.mark.parametrize("documents", [(), (Document("blank", ""),)], ids=["none", "blank"])
def test_a_corpus_of_nothing_finds_nothing(sentence_encoder: Path, settings: dict[str, Any], documents: Any) -> None:
    retriever = dense(sentence_encoder, documents, **settings)
    assert retriever.scores(QUERIES[0]) == {}
    assert list(retriever.search(QUERIES, 5)) == [{}] * 4


def test_vectors_have_length_1_or_0() -> None:
    found = vectors.unit(np.array([[3.0, 4.0], [0.0, 0.0]], np.float32))
    assert found.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0.0, 0.0]]


def test_an_index_that_is_not_installed_is_one_line(sentence_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "usearch", None)
    with pytest.raises(
        RerankError, match=r"^index: usearch needs usearch; install with: .*\[ann\]', or set index: exact$"
    ):
        dense(sentence_encoder, index="usearch")


def test_what_computes_is_part_of_the_key() -> None:
    assert DenseSettings(model="m").engines() == ()
    assert DenseSettings(model="m", index="usearch").engines() == ("usearch",)
