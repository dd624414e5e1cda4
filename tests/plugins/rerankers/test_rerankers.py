"""The rerankers library's own `rank` is the oracle; what it leaves out is an error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rerankers import Reranker
from rerankers.results import RankedResults, Result
from transformers import BertModel

from rr import Document, Query, Request, RerankError, ScoringError
from rr_rerankers.scorer import RerankersScorer
from rr_rerankers.settings import RerankersSettings
from tests.plugins.kit import passes_the_kit

Bert = Callable[..., Path]
TEXTS = ["the lamp is red", "a river " * 60, "phòng có gác lửng", "", "the lamp is red"]
REQUEST = Request(Query("q", "where is the lamp"), tuple(Document(f"d{n}", text) for n, text in enumerate(TEXTS)))


def settings(model: Path, **options: object) -> RerankersSettings:
    return RerankersSettings.model_validate({"model": str(model), **options})


def own_scores(model: Path, model_type: str) -> list[float]:
    library: Any = Reranker(str(model), model_type=model_type, verbose=0, device="cpu")
    return [library.rank(REQUEST.query.text, [text]).results[0].score for text in TEXTS]


def test_a_cross_encoder_scores_as_the_library_ranks(bert: Bert, capfd: pytest.CaptureFixture[str]) -> None:
    expected = own_scores(bert(1), "cross-encoder")
    capfd.readouterr()
    scorer = RerankersScorer(settings(bert(1)))
    answer = scorer.score([REQUEST])[0]
    assert capfd.readouterr() == ("", "")
    assert answer.values == pytest.approx(expected, abs=1e-5)
    assert answer.values[0] == answer.values[4]
    assert (scorer.info.scale, scorer.info.state, scorer.info.listwise) == ("logit", "pretrained", False)
    assert scorer.info.parameters > 0
    fewer = RerankersScorer(settings(bert(1), arguments={"batch_size": 1})).score([REQUEST])[0]
    assert fewer.values == pytest.approx(expected, abs=1e-5)


def test_its_order_alone(bert: Bert) -> None:
    scorer = RerankersScorer(settings(bert(1), scale="rank"))
    expected = own_scores(bert(1), "cross-encoder")[:4]
    best_first = sorted(range(4), key=lambda place: -expected[place])
    values = scorer.score([REQUEST])[0].values
    assert [values[place] for place in best_first] == [0, -1, -2, -3]
    assert scorer.info.listwise


def test_what_nobody_trained_is_said(bert: Bert) -> None:
    scorer = RerankersScorer(settings(bert(None)))
    assert scorer.info.state == "untrained"
    assert scorer.info.notes[0] == "random classifier"
    assert scorer.score([REQUEST])[0].values == RerankersScorer(settings(bert(None))).score([REQUEST])[0].values


def test_precision_is_said(bert: Bert) -> None:
    assert RerankersScorer(settings(bert(1), arguments={"dtype": "bf16"})).info.precision == "bfloat16"


def answering(scorer: RerankersScorer, change: Callable[[list[Result]], list[Result]]) -> None:
    """The library answers, and then its answer is damaged."""
    rank = scorer._ranker.rank

    def damaged(*asked: Any, **options: Any) -> RankedResults:
        found = rank(*asked, **options)
        return RankedResults(results=change(found.results), query=found.query, has_scores=True)

    scorer._ranker.rank = damaged


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda results: results[1:], "gave no result for 1 of 4 documents"),
        (lambda results: [*results, results[0]], "gave a result for ., which is not asked"),
        (lambda results: [], "gave no result for 4 of 4 documents"),
        (lambda results: [Result(r.document, rank=1) for r in results], "the score None.*set scale: rank"),
        (
            lambda results: [Result(r.document, score=float("nan")) for r in results],
            "the score nan, which is no number",
        ),
    ],
)
def test_an_answer_that_is_not_whole_raises(
    bert: Bert, change: Callable[[list[Result]], list[Result]], message: str
) -> None:
    scorer = RerankersScorer(settings(bert(1)))
    answering(scorer, change)
    with pytest.raises(ScoringError, match=message):
        scorer.score([REQUEST])


def test_results_in_any_order_are_put_back(bert: Bert) -> None:
    scorer = RerankersScorer(settings(bert(1)))
    before = scorer.score([REQUEST])
    answering(scorer, lambda results: results[::-1])
    assert scorer.score([REQUEST]) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arguments": {"device": "cuda"}}, "'device' is not given here"),
        ({"arguments": {"model_kwargs": {"trust_remote_code": True}}}, "is a setting of its own"),
        ({"model_type": "cohere"}, "model_type"),
    ],
)
def test_settings_that_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settings(Path("x"), **options)


def test_models_that_are_refused(bert: Bert, tmp_path: Path) -> None:
    with pytest.raises(RerankError, match="has 3 labels"):
        RerankersScorer(settings(bert(3)))
    with pytest.raises(RerankError, match="trust_remote_code would run the Python code"):
        RerankersScorer(settings(bert(1), trust_remote_code=True))
    with pytest.raises(RerankError, match=r"cannot load model_type 'flashrank' here: .*pip install"):
        RerankersScorer(settings(bert(1), model_type="flashrank"))
    BertModel.from_pretrained(bert(None)).config.save_pretrained(tmp_path)
    with pytest.raises(RerankError, match="has no weights in safetensors files"):
        RerankersScorer(settings(tmp_path))


def test_it_passes_the_kit(bert: Bert) -> None:
    passes_the_kit(RerankersScorer, {"model": str(bert(1)), "arguments": {"batch_size": 3}})
