"""Scores, against the plain full forward pass."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen3Config, Qwen3ForCausalLM

from rr import Request, RerankError, ScoringError
from rr.rerank import compose
from rr.rerank.sort import Sort
from rr_letters.labels import LETTERS, encode
from rr_letters.scorer import LetterScorer
from rr_letters.settings import LetterSettings
from tests.conftest import Rr
from tests.plugins.letters.helpers import (
    Qwen,
    letter_ids,
    mixed_requests,
    next_item,
    passages,
    plain_answer,
    plain_logits,
    plain_model,
    prompt_of,
    settings,
)
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


@pytest.mark.parametrize("calibration", ["none", "content-free"])
def test_a_scorer_that_is_asked_directly_refuses_what_it_has_no_letters_for(qwen: Qwen, calibration: str) -> None:
    scorer = LetterScorer(settings(qwen("qwen3"), calibration=calibration))
    fits, many, none = (passages("?", map(str, range(count)), id_=str(count)) for count in (3, 53, 0))
    with pytest.raises(
        ScoringError, match=r"^query '53': 53 candidates, and the letters are 52; rerank them in windows "
    ):
        scorer.score([fits, many])
    with pytest.raises(ScoringError, match=r"^query '0': there are no candidates"):
        scorer.score([fits, none])
    with pytest.raises(ScoringError, match=r"^query '53': 53 candidates, and the scorer takes 52 at once; "):
        Sort(scorer).rerank([many])
    shown = compose(scorer).rerank([many, none])
    assert [len(ranking.items) for ranking in shown] == [53, 0]


def test_more_than_52_is_refused_wherever_it_is_asked_for(qwen: Qwen, small_registry: Path, rr_command: Rr) -> None:
    """By a flag of the training, and by a window of the entry."""
    entries = f"""
  letters: {{scorer: letters, trainer: letters, checkpoint: none, settings: {{model: {qwen("qwen3")}}}}}
  wide: {{scorer: letters, checkpoint: none, window: 60, settings: {{model: {qwen("qwen3")}}}}}
"""
    small_registry.write_text(small_registry.read_text(encoding="utf-8") + entries, encoding="utf-8")
    registry = ("--registry", small_registry)
    ended = rr_command("train", "letters", "-d", "rooms", "--candidates", "60", *registry)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended.stderr
    assert "candidates: Input should be less than or equal to 52" in ended.stderr
    ended = rr_command("rerank", "wide", "-q", "?", "a", "b", *registry)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended.stderr
    assert "the scorer takes 52 candidates at once; a window of 60 does not fit" in ended.stderr
    ended = rr_command("rerank", "letters", "-q", "?", *map(str, range(60)), *registry)
    assert (ended.returncode, len(ended.stdout.splitlines())) == (0, 60), ended.stderr


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


# --- calibration


def calibrated(own: LetterSettings, request: Request) -> tuple[list[float], float]:
    """p / p_content-free, normalised, and the label mass of p: the rendered prompt with each candidate's line
    rewritten, by two plain forward passes."""
    tokenizer = AutoTokenizer.from_pretrained(own.model)
    prompt = prompt_of(own, request).tokens
    before, _, rest = tokenizer.decode(prompt).partition("Candidates:\n")
    letters = LETTERS[: len(request.candidates)]
    blank = "\n".join(f"{letter}. N/A" for letter in letters)
    free = encode(tokenizer, f"{before}Candidates:\n{blank}\n\n" + rest.partition("\n\n")[2])
    ids = letter_ids(own.model, len(letters))
    asked, idle = (torch.softmax(plain_logits(Path(own.model), tokens)[-1], 0)[ids] for tokens in (prompt, free))
    ratio = asked / idle
    return (ratio / ratio.sum()).tolist(), asked.sum().item()


@pytest.mark.parametrize("token_budget", [1, 100_000])
@pytest.mark.parametrize("kind", ["qwen3", "qwen2"])
def test_calibrated_scores_divide_by_what_is_answered_to_nothing(qwen: Qwen, kind: str, token_budget: int) -> None:
    own = settings(qwen(kind), calibration="content-free", token_budget=token_budget)
    answers = LetterScorer(own).score(mixed_requests())
    plain = LetterScorer(settings(qwen(kind))).score(mixed_requests())
    for request, answer, uncalibrated in zip(mixed_requests(), answers, plain, strict=True):
        expected, mass = calibrated(own, request)
        assert answer.values == pytest.approx(expected, abs=1e-5)
        assert answer.diagnostics["label_mass"] == pytest.approx(mass, abs=1e-5)
        assert answer.diagnostics["label_mass"] == pytest.approx(uncalibrated.diagnostics["label_mass"], abs=1e-6)


def test_the_prompt_that_says_nothing_has_the_same_history(qwen: Qwen) -> None:
    """Its candidates are shorter, and more of the history would fit into it."""
    own = settings(qwen("qwen3"), calibration="content-free", max_tokens=300)
    request = next_item([f"Film {n}" for n in range(30)], ["the hammer offer by the guide " * 3] * 2 + ["pepper"])
    (answer,) = LetterScorer(own).score([request])
    assert answer.diagnostics["history_dropped"] > 3
    assert answer.values == pytest.approx(calibrated(own, request)[0], abs=1e-5)


def test_a_liking_for_a_letter_is_taken_back(qwen: Qwen, tmp_path: Path) -> None:
    """A model whose row of `C` is drawn towards what it always answers from says C, whatever is asked."""
    requests = [passages(f"Which {n}?", [f"offer {n} {k}" for k in range(5)], id_=str(n)) for n in range(20)]
    plain = plain_model(qwen("qwen3"))
    model = Qwen3ForCausalLM(Qwen3Config(**{**plain.config.to_dict(), "tie_word_embeddings": False}))
    model.load_state_dict(plain.state_dict())
    states = [
        plain.model(torch.tensor([prompt_of(settings(qwen("qwen3")), request).tokens])).last_hidden_state[0, -1]
        for request in requests
    ]
    usual = torch.stack(states).mean(0)
    with torch.no_grad():
        model.lm_head.weight[letter_ids(qwen("qwen3"), 3)[-1]] += 8 * usual / usual.norm() ** 2
    shutil.copytree(qwen("qwen3"), tmp_path / "biased")
    model.save_pretrained(tmp_path / "biased")

    def first(folder: Path, calibration: str) -> list[int]:
        answers = values(LetterScorer(settings(folder, calibration=calibration)).score(requests))
        return [max(range(5), key=list(answer).__getitem__) for answer in answers]

    fair, biased = first(qwen("qwen3"), "content-free"), first(tmp_path / "biased", "none")
    mended = first(tmp_path / "biased", "content-free")
    assert biased.count(2) > 15, "not biased: this proves nothing"
    assert len(set(fair)) > 1
    agreed = [sum(one == other for one, other in zip(fair, answers, strict=True)) for answers in (mended, biased)]
    assert agreed[0] > 15
    assert agreed[1] < 8
