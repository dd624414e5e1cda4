"""FlagEmbedding's FlagReranker, and whom a trained folder can be handed to: equal scores everywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from sentence_transformers import CrossEncoder

from rr import Dataset, Document, Query, Request, RerankError
from rr_cross_encoder.flag import FlagScorer
from rr_cross_encoder.scorer import CrossEncoderScorer
from rr_cross_encoder.settings import FlagRerankerSettings
from rr_cross_encoder.trainer import CrossEncoderTrainer
from rr_torch.answers import sigmoid
from tests.plugins.cross_encoder.test_cross_encoder import (
    LONG,
    TRAINING,
    Bert,
    mixed_requests,
    plain_scores,
    settings,
)
from tests.plugins.training import observe, values


def flag(folder: Path, **options: object) -> FlagRerankerSettings:
    return FlagRerankerSettings.model_validate({"model": str(folder), "max_seq_length": 64, **options})


@pytest.mark.parametrize("token_budget", [1, 150, 1_000_000])
def test_it_scores_and_cuts_as_the_cross_encoder_does(
    bert: Bert, token_budget: int, capfd: pytest.CaptureFixture[str]
) -> None:
    expected = CrossEncoderScorer(settings(bert(1))).score(mixed_requests())
    capfd.readouterr()
    scorer = FlagScorer(flag(bert(1), token_budget=token_budget))
    found = scorer.score(mixed_requests())
    assert (scorer.info.scale, scorer.info.state) == ("logit", "pretrained")
    for one, other in zip(found, expected, strict=True):
        assert one.values == pytest.approx(other.values, abs=1e-5)
        assert one.diagnostics == other.diagnostics
    assert capfd.readouterr() == ("", "")


def test_normalize_is_the_scale_probability(bert: Bert) -> None:
    scorer = FlagScorer(flag(bert(1), scale="probability"))
    assert scorer.info.scale == "probability"
    for request, answer in zip(mixed_requests(), scorer.score(mixed_requests()), strict=True):
        expected = [sigmoid(logit) for logit in plain_scores(bert(1), request)]
        assert answer.values == pytest.approx(expected, abs=1e-5)


def test_a_query_that_it_would_cut_is_an_error(bert: Bert) -> None:
    scorer = FlagScorer(flag(bert(1)))
    fits = Request(Query("q", "lamp " * 48), (Document("d", LONG),))
    assert scorer.score([fits])[0].values == pytest.approx(plain_scores(bert(1), fits), abs=1e-5)
    with pytest.raises(RerankError, match="has 49 tokens, and FlagReranker cuts queries to 48; raise max_seq_length"):
        scorer.score([Request(Query("q", "lamp " * 49), (Document("d", "lamp"),))])


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (None, {}, "lacks weights of a reranker, classifier.bias among them; train it first"),
        (3, {}, "has 3 labels"),
        (1, {"max_seq_length": 1024}, "max_seq_length 1024 is more than the 512 tokens"),
        (1, {"use_fp16": True}, "use_fp16: FlagReranker has half precision on a GPU only"),
    ],
)
def test_what_it_would_do_in_silence_is_refused(
    bert: Bert, labels: int | None, options: dict[str, object], message: str
) -> None:
    if "use_fp16" in options and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(RerankError, match=message):
        FlagScorer(flag(bert(labels), **options))


def test_a_trained_folder_scores_alike_wherever_it_is_loaded(bert: Bert, learnable: Dataset, tmp_path: Path) -> None:
    trainer = CrossEncoderTrainer(TRAINING.model_copy(update={"epochs": 1}), settings(bert(None)))
    folder = observe(trainer, learnable, tmp_path / "checkpoint").folder
    requests = [*learnable.requests("dev")[:3], mixed_requests()[2]]
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == ["BertForSequenceClassification"]
    assert "rr_packed" not in json.dumps(config), "nobody else knows our attention"

    ours = values(CrossEncoderScorer(settings(bert(None)), folder).score(requests))
    peer = CrossEncoder(str(folder), max_length=64, device="cpu", activation_fn=torch.nn.Identity())
    scorer = FlagScorer(flag(bert(1)), folder)
    assert scorer.info.state == "trained"
    flags = values(scorer.score(requests))
    for request, mine, flagged in zip(requests, ours, flags, strict=True):
        assert mine == pytest.approx(plain_scores(folder, request), abs=1e-5)
        pairs = [(request.query.text, document.content) for document in request.candidates]
        assert mine == pytest.approx(peer.predict(pairs, show_progress_bar=False).tolist(), abs=1e-5)
        assert mine == pytest.approx(flagged, abs=1e-5)
    assert CrossEncoder(str(folder), device="cpu").predict([("the lamp", "falcon")])[0] == pytest.approx(
        sigmoid(plain_scores(folder, Request(Query("q", "the lamp"), (Document("d", "falcon"),)))[0]), abs=1e-5
    ), "whoever loads it without more gets its probabilities"
