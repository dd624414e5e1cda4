"""The two objectives, against transformers' own loss over the whole conversation, gradients included."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from rr import Dataset
from rr_letters.forward import sharing
from rr_letters.labels import LETTERS
from rr_letters.model import LetterModel
from rr_letters.samples import Sample
from rr_letters.settings import LetterTraining
from rr_letters.trainer import add_lora, letter_loss, next_token_loss
from rr_torch import BatchLoss
from rr_torch.device import seeded
from tests.plugins.conftest import CHATML
from tests.plugins.letters.helpers import (
    QWEN3_TEMPLATE,
    QWEN25_TEMPLATE,
    SMALL,
    Qwen,
    choices,
    passages,
    settings,
    with_template,
)

Objective = Callable[[LetterModel, Sequence[Sample]], BatchLoss]


def adapted(folder: Path, **options: object) -> LetterModel:
    """With an adapter that does something: LoRA's B starts at zero, and A would have no gradient."""
    letters = LetterModel(settings(folder, **{**SMALL, **options}), None)
    add_lora(letters, LetterTraining(lora_r=2))
    with seeded(4), torch.no_grad():
        for name, weight in letters.model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.05)
    letters.model.eval()
    return letters


def plain_losses(letters: LetterModel, samples: Sequence[Sample]) -> dict[Objective, torch.Tensor]:
    """Each conversation in full through the model, one by one, as its chat template renders it; labels masked to the
    response: the letter and the end of the turn."""
    next_token, letter = [], []
    end = letters.tokenizer.convert_tokens_to_ids("<|im_end|>")
    for request, place in samples:
        prompt = letters.prompter.render(request).tokens
        user = letters.tokenizer.decode(prompt).split("<|im_start|>user\n")[1].split("<|im_end|>")[0]
        turns = [{"role": "user", "content": user}, {"role": "assistant", "content": LETTERS[place]}]
        whole = letters.tokenizer.apply_chat_template(turns, tokenize=True, return_dict=False)
        last = len(whole) - 1 - whole[::-1].index(end)
        ids, labels = torch.tensor([whole]), torch.full((1, len(whole)), -100)
        labels[0, last - 1 : last + 1] = ids[0, last - 1 : last + 1]
        output = letters.base(input_ids=ids, labels=labels)
        next_token.append(output.loss)
        shown = letters.tokenizer.convert_tokens_to_ids(list(LETTERS[: len(request.candidates)]))
        letter.append(-torch.log_softmax(output.logits[0, last - 2, shown], 0)[place])
    return {next_token_loss: torch.stack(next_token).mean(), letter_loss: torch.stack(letter).mean()}


def gradients(letters: LetterModel, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    letters.model.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    return {name: weight.grad.clone() for name, weight in letters.model.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize("template", [CHATML, QWEN25_TEMPLATE, QWEN3_TEMPLATE], ids=["Qwen2", "Qwen2.5", "Qwen3"])
@pytest.mark.parametrize("objective", [next_token_loss, letter_loss])
def test_the_loss_is_that_of_the_conversation(
    qwen: Qwen, watched: Dataset, tmp_path: Path, template: str, objective: Objective
) -> None:
    # a base model's tokenizer: the end of a text is not the end of a turn
    letters = adapted(with_template(qwen("qwen3"), template, tmp_path / "model", eos_token="<|endoftext|>"))
    samples = [*choices(watched, LetterTraining(candidates=5), 0)[:5], (passages("?", ["x", "y", "z"]), 2)]
    loss = objective(letters, samples).value
    found = gradients(letters, loss)
    letters.base.set_attn_implementation("sdpa")
    expected = plain_losses(letters, samples)[objective]
    wanted = gradients(letters, expected)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-5)
    assert len(found) == 2 * 4 * 2
    assert all("lora_" in name for name in found)
    assert found.keys() == wanted.keys()
    for name, gradient in found.items():
        assert gradient.abs().max() > 0
        assert (gradient - wanted[name]).abs().max() < 1e-4 * wanted[name].abs().max().clamp(min=1e-2), name


@pytest.mark.parametrize("kind", ["watched", "learnable"])
def test_candidates_that_are_read_once_have_the_same_loss_and_gradients(
    qwen: Qwen, watched: Dataset, learnable: Dataset, tmp_path: Path, kind: str
) -> None:
    """Through the prefix that questions share, and what follows it."""
    folder = with_template(qwen("qwen3"), CHATML, tmp_path / "model", eos_token="<|endoftext|>")
    letters = adapted(folder, layout="question-last")
    dataset = {"watched": watched, "learnable": learnable}[kind]
    samples = choices(dataset, LetterTraining(candidates=12, questions=4), 0)[:10]
    prompts = [letters.prompter.render(request).tokens for request, _ in samples]
    assert any(shared for _, shared in sharing(prompts)), "there is something to share"
    loss = letter_loss(letters, samples, share=True).value
    found = gradients(letters, loss)
    letters.base.set_attn_implementation("sdpa")
    expected = plain_losses(letters, samples)[letter_loss]
    wanted = gradients(letters, expected)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-5)
    assert found.keys() == wanted.keys()
    for name, gradient in found.items():
        assert (gradient - wanted[name]).abs().max() < 1e-4 * wanted[name].abs().max().clamp(min=1e-2), name


def test_the_objectives_differ(qwen: Qwen, watched: Dataset) -> None:
    """Over the vocabulary, the letters must take the probability from all other tokens first."""
    letters = LetterModel(settings(qwen("flat")), None)
    samples = choices(watched, LetterTraining(candidates=20), 0)[:4]
    with torch.no_grad():
        losses = [objective(letters, samples).value.item() for objective in (letter_loss, next_token_loss)]
    vocabulary = letters.base.config.vocab_size
    assert losses == pytest.approx([math.log(20), math.log(vocabulary)], abs=0.05)
