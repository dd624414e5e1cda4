"""The baselines: nothing is learned here, so everything can be checked against a calculation by hand."""

from __future__ import annotations

import math
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer

import rr
from rr import Dataset, Document, Query, Request, RerankError
from rr.types import trec_order
from rr_baselines.bi_encoder import BiEncoderScorer
from rr_baselines.bm25 import Bm25Scorer
from rr_baselines.order import FirstStage, Random
from rr_torch.settings import EncoderSettings


def request(query: str, *texts: str, id_: str = "q", first_stage: Sequence[float] | None = None) -> Request:
    documents = tuple(Document(f"d{place}", text) for place, text in enumerate(texts))
    return Request(Query(id_, query), documents, None if first_stage is None else tuple(first_stage))


def random_reranker(seed: int = 0) -> Random:
    return Random(Random.Settings(seed=seed))


def test_random_gives_the_same_order_whatever_comes_along(learnable: Dataset) -> None:
    requests = learnable.requests("test")
    together = [ranking.scores for ranking in random_reranker().rerank(requests)]
    assert together == [random_reranker().rerank([request])[0].scores for request in requests]
    assert together == [ranking.scores for ranking in random_reranker().rerank(requests[::-1])][::-1]


def test_random_looks_at_no_position(learnable: Dataset) -> None:
    asked = learnable.requests("test")[0]
    turned = Request(asked.query, asked.candidates[::-1])
    assert random_reranker().rerank([asked])[0].scores == random_reranker().rerank([turned])[0].scores


def test_random_differs_by_seed_and_by_query(learnable: Dataset) -> None:
    asked = learnable.requests("test")[0]
    other = Request(Query("another", asked.query.text), asked.candidates)
    first, second = (list(r.scores) for r in random_reranker().rerank([asked, other]))
    assert first != second
    assert list(random_reranker(1).rerank([asked])[0].scores) != first


def test_random_puts_every_candidate_first_equally_often() -> None:
    requests = [request("x", *"abcd", id_=str(number)) for number in range(2000)]
    first = Counter(ranking.items[0].document.id for ranking in random_reranker().rerank(requests))
    # 500 each, standard deviation 19
    assert all(abs(first[f"d{place}"] - 500) < 5 * 19.4 for place in range(4))


def test_first_stage_ranks_by_its_scores(learnable: Dataset) -> None:
    requests = replace(learnable, protocol="end-to-end").requests("test")
    for asked, ranking in zip(requests, FirstStage(rr.Settings()).rerank(requests), strict=True):
        given = dict(zip((d.id for d in asked.candidates), asked.first_stage or (), strict=True))
        assert list(ranking.scores) == trec_order(given)
        assert ranking.scores == given


def test_first_stage_does_not_apply_where_none_is_shown(learnable: Dataset) -> None:
    assert learnable.protocol == "oracle"
    with pytest.raises(rr.NotApplicableError, match="no first stage's order is shown here"):
        FirstStage(rr.Settings()).rerank(learnable.requests("test"))


def bm25_by_hand(query: str, texts: Sequence[str]) -> list[float]:
    """Lucene's BM25 with k1 = 1.2 and b = 0.4 (Kamphuis et al. 2020, table 1)."""
    documents = [re.findall(r"\w+", text.lower()) for text in texts]
    mean = sum(map(len, documents)) / len(documents)
    scores = []
    for document in documents:
        score = 0.0
        for word in re.findall(r"\w+", query.lower()):
            holding = sum(word in other for other in documents)
            rarity = math.log(1 + (len(documents) - holding + 0.5) / (holding + 0.5))
            count = document.count(word)
            score += rarity * count / (count + 1.2 * (1 - 0.4 + 0.4 * len(document) / mean))
        scores.append(score)
    return scores


TEXTS = ("Red cars, red vans", "blue car", "", "a red house stands near the blue sea", "green")


@pytest.mark.parametrize("query", ["red", "red blue", "the red red sea", "car", "unheard red"])
def test_bm25_equals_a_calculation_by_hand(query: str) -> None:
    (scores,) = Bm25Scorer(Bm25Scorer.Settings()).score([request(query, *TEXTS)])
    assert scores == pytest.approx(bm25_by_hand(query, TEXTS), abs=1e-5)


def test_bm25_ranks_the_match_first_and_gives_0_where_nothing_matches() -> None:
    (scores,) = Bm25Scorer(Bm25Scorer.Settings()).score([request("house", *TEXTS)])
    assert scores[3] > 0
    assert [scores[place] for place in (0, 1, 2, 4)] == [0.0] * 4


@pytest.mark.parametrize(
    ("query", "texts"),
    [("nothing", TEXTS), ("", TEXTS), ("?!", TEXTS), ("red", ("", "")), ("red", ("",)), ("", ("",)), ("red", ("…",))],
)
def test_bm25_without_any_match_gives_0_to_all(query: str, texts: tuple[str, ...]) -> None:
    (scores,) = Bm25Scorer(Bm25Scorer.Settings()).score([request(query, *texts)])
    assert scores == [0.0] * len(texts)


def test_bm25_takes_its_frequencies_from_one_request_alone() -> None:
    one, two = request("red", *TEXTS), request("red", "red", "red", "red car")
    scorer = Bm25Scorer(Bm25Scorer.Settings())
    assert scorer.score([one, two]) == [scorer.score([one])[0], scorer.score([two])[0]]


def test_bm25_folds_accents_when_told_to() -> None:
    asked = request("phong duong", "Phòng trọ đường Đê La Thành", "nhà riêng")
    assert Bm25Scorer(Bm25Scorer.Settings(fold_accents=True)).score([asked])[0][0] > 0
    assert Bm25Scorer(Bm25Scorer.Settings()).score([request("phong", "Phòng trọ")]) == [[0.0]]


def test_bi_encoder_equals_the_cosine_by_hand(learnable: Dataset, sentence_encoder: Path) -> None:
    requests = [*learnable.requests("test"), request("", "", "x", "the falcon " * 400)]
    plain = SentenceTransformer(str(sentence_encoder), device="cpu")
    plain.max_seq_length = 64
    scorer = BiEncoderScorer(EncoderSettings(model=str(sentence_encoder), max_seq_length=64))
    for asked, scores in zip(requests, scorer.score(requests), strict=True):
        query = plain.encode(asked.query.text)
        for document, score in zip(asked.candidates, scores.values, strict=True):
            text = plain.encode(document.content)
            assert score == pytest.approx(query @ text / np.linalg.norm(query) / np.linalg.norm(text), abs=1e-5)


def test_bi_encoder_reads_the_title_too(sentence_encoder: Path) -> None:
    titled = Request(Query("q", "lamp"), (Document("d", "text", "title"), Document("e", "title\ntext")))
    (scores,) = BiEncoderScorer(EncoderSettings(model=str(sentence_encoder))).score([titled])
    assert scores.values[0] == pytest.approx(scores.values[1], abs=1e-6)


def test_bi_encoder_counts_its_parameters(sentence_encoder: Path) -> None:
    info = BiEncoderScorer(EncoderSettings(model=str(sentence_encoder))).info
    plain = SentenceTransformer(str(sentence_encoder), device="cpu")
    assert (info.scale, info.state) == ("cosine", "pretrained")
    assert info.parameters == sum(parameter.numel() for parameter in plain.parameters())
    assert info.trainable == 0


def test_an_encoder_with_missing_weights_is_refused(sentence_encoder: Path, tmp_path: Path) -> None:
    shutil.copytree(sentence_encoder, tmp_path / "broken")
    weights = load_file(sentence_encoder / "model.safetensors")
    del weights["encoder.layer.0.intermediate.dense.weight"]
    save_file(weights, tmp_path / "broken" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RerankError, match="intermediate"):
        BiEncoderScorer(EncoderSettings(model=str(tmp_path / "broken")))


def test_a_thousand_candidates(sentence_encoder: Path) -> None:
    texts = [f"offer {number}" for number in range(1000)]
    asked = request("offer 123", *texts, first_stage=range(1000))
    (found,) = Bm25Scorer(Bm25Scorer.Settings()).score([asked])
    assert found.index(max(found)) == 123
    (cosines,) = BiEncoderScorer(EncoderSettings(model=str(sentence_encoder))).score([asked])
    assert cosines.values.index(max(cosines.values)) == 123
    assert FirstStage(rr.Settings()).rerank([asked])[0].items[0].document.id == "d999"
    assert sorted(random_reranker().rerank([asked])[0].scores) == sorted(f"d{number}" for number in range(1000))
