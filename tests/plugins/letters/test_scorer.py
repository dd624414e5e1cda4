"""Scores, against the plain full forward pass."""

from __future__ import annotations

import math

import pytest
from transformers import AutoModelForCausalLM

from rr import RerankError
from rr_letters.scorer import LetterScorer
from tests.plugins.letters.helpers import Qwen, mixed_requests, next_item, passages, plain_answer, settings
from tests.plugins.training import values


@pytest.mark.parametrize("kind", ["qwen3", "qwen2", "flat"])
@pytest.mark.parametrize("token_budget", [1, 700, 100_000])
def test_scores_equal_the_plain_forward_pass_however_they_are_batched(qwen: Qwen, kind: str, token_budget: int) -> None:
    scorer = LetterScorer(settings(qwen(kind), token_budget=token_budget))
    for request, answer in zip(mixed_requests(), scorer.score(mixed_requests()), strict=True):
        expected, mass = plain_answer(settings(qwen(kind)), request)
        assert answer.values == pytest.approx(expected, abs=1e-5)
        assert answer.diagnostics["label_mass"] == pytest.approx(mass, abs=1e-5)
        mean = 1 / len(expected)
        deviation = math.sqrt(sum((value - mean) ** 2 for value in expected) / len(expected))
        assert answer.diagnostics["uniform"] == float(len(expected) > 1 and deviation < 0.01)


def test_scores_do_not_depend_on_what_comes_along(qwen: Qwen) -> None:
    scorer = LetterScorer(settings(qwen("qwen3")))
    together = values(scorer.score(mixed_requests()))
    assert max(together[2]) > 0.1, "all alike: this proves nothing"
    for request, answer in zip(mixed_requests(), together, strict=True):
        assert scorer.score([request])[0].values == pytest.approx(answer, abs=1e-5)
    for request, answer in zip(mixed_requests()[::-1], scorer.score(mixed_requests()[::-1]), strict=True):
        assert answer.values == pytest.approx(together[mixed_requests().index(request)], abs=1e-5)


def test_scores_are_probabilities_and_one_candidate_has_it_all(qwen: Qwen) -> None:
    answers = LetterScorer(settings(qwen("qwen3"))).score(mixed_requests())
    assert all(sum(answer.values) == pytest.approx(1) for answer in answers)
    assert answers[1].values == (1.0,)
    assert answers[1].diagnostics["uniform"] == 0
    assert len(answers[2].values) == len(set(answers[2].values)) == 52


def test_uniform_answers_are_noticed(qwen: Qwen) -> None:
    request = passages("Which one?", [f"offer {n}" for n in range(10)])
    flat, sharp = (LetterScorer(settings(qwen(kind))).score([request])[0] for kind in ("flat", "qwen3"))
    assert (flat.diagnostics["uniform"], sharp.diagnostics["uniform"]) == (1, 0)


def test_what_was_cut_is_in_the_diagnostics(qwen: Qwen) -> None:
    request = next_item([f"Film {n}" for n in range(20)], ["the hammer offer by the guide " * 30, "x"])
    (answer,) = LetterScorer(settings(qwen("qwen3"), max_tokens=220)).score([request])
    assert answer.diagnostics["truncated"] == 0.5
    assert 0 < answer.diagnostics["history_dropped"] < 20


def test_a_pretrained_base_is_called_one(qwen: Qwen) -> None:
    info = LetterScorer(settings(qwen("qwen3"))).info
    plain = AutoModelForCausalLM.from_pretrained(qwen("qwen3"))
    assert (info.scale, info.listwise, info.max_candidates) == ("probability", True, 52)
    assert (info.state, info.notes, info.trainable) == ("pretrained", (), 0)
    assert info.parameters == sum(parameter.numel() for parameter in plain.parameters())


def test_a_base_without_its_output_layer_is_not_called_pretrained(qwen: Qwen) -> None:
    try:
        state = LetterScorer(settings(qwen("headless"))).info.state
    except RerankError:
        return
    assert state == "untrained"
