"""The chance level of the letters' losses: what a model without knowledge reaches."""

from __future__ import annotations

import math

import pytest
import torch

from rr_letters.model import LetterModel
from rr_letters.samples import Sample
from rr_letters.trainer import letter_loss, next_token_loss
from tests.plugins.letters.helpers import SMALL, Qwen, passages, settings

SIZES = [[2], [20], [52], [2, 5, 20], [1], [1, 52]]


def samples(sizes: list[int]) -> list[Sample]:
    return [(passages("Which?", [f"offer {n}" for n in range(size)], f"q{size}"), size - 1) for size in sizes]


@pytest.mark.parametrize("sizes", SIZES)
def test_chance_is_ln_c_and_half_of_it_over_the_answers_tokens(qwen: Qwen, sizes: list[int]) -> None:
    """C: a prompt's candidates. Of the answer's two tokens, the end of the turn can be known."""
    letters = LetterModel(settings(qwen("qwen3"), title_tokens=8, max_tokens=2000), None)
    expected = sum(map(math.log, sizes)) / len(sizes)
    with torch.no_grad():
        shown, all_tokens = letter_loss(letters, samples(sizes)), next_token_loss(letters, samples(sizes))
    assert shown.chance == pytest.approx(expected, abs=1e-12)
    assert all_tokens.chance == pytest.approx(expected / 2, abs=1e-12)
    assert list(shown.places) == list(all_tokens.places) == [size - 1 for size in sizes]


@pytest.mark.parametrize("size", [2, 7, 52])
def test_a_model_without_knowledge_is_at_chance(qwen: Qwen, size: int) -> None:
    """All logits are equal where the output layer is 0: over the letters that is ln C; over the vocabulary its own."""
    letters = LetterModel(settings(qwen("flat"), title_tokens=8, max_tokens=2000), None)
    with torch.no_grad():
        letters.base.get_output_embeddings().weight.zero_()
        shown, all_tokens = letter_loss(letters, samples([size])), next_token_loss(letters, samples([size]))
    assert float(shown.value) == pytest.approx(shown.chance, abs=1e-5)
    assert float(all_tokens.value) == pytest.approx(math.log(letters.base.config.vocab_size), abs=1e-5)


def test_truncated_is_the_mean_share_of_a_prompts_texts_that_were_cut(qwen: Qwen) -> None:
    letters = LetterModel(settings(qwen("qwen3"), **SMALL), None)
    short, long = passages("?", ["a", "b"], "s"), passages("?", ["the hammer offer by the guide " * 30, "b"], "l")
    for requests, share in (([short], 0.0), ([long], 0.5), ([short, long, short, short], 0.125)):
        with torch.no_grad():
            assert letter_loss(letters, [(request, 0) for request in requests]).truncated == share
