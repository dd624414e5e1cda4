"""One rendering for training and scoring, token by token that of the chat template."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from rr import Request, RerankError
from rr_letters.labels import LETTERS, label_tokens, letter_range
from rr_letters.prompt import Budget, Prompter
from rr_letters.templates import read_templates
from tests.plugins.conftest import CHATML, byte_level_tokenizer
from tests.plugins.letters.helpers import QWEN3_TEMPLATE, QWEN25_TEMPLATE, next_item, passages

QUESTION = passages("Where is the lamp?", [f"offer {n}" for n in range(52)])
HISTORY = next_item([f"Film {n}" for n in range(5)], [f"Film {n}" for n in range(7, 12)])


def check(tokenizer: Any, request: Request) -> None:
    """Prompt, letter and end of turn are what a conversation is rendered to that ends with that letter."""
    prompter = Prompter(tokenizer, Budget(32, 20, 4096), read_templates())
    prompt = prompter.render(request).tokens
    template = read_templates().next_item if request.query.history else read_templates().passage
    shown = "\n".join(f"{letter}. {d.title or d.text}" for letter, d in zip(LETTERS, request.candidates, strict=False))
    content = template.format(
        question=request.query.text,
        history="\n".join(f"- {document.title}" for document in request.query.history),
        candidates=shown,
        letters=letter_range(len(request.candidates)),
    )
    labels = label_tokens(tokenizer, prompter.text(request, [], [""]))
    ends = tokenizer.convert_tokens_to_ids("<|im_end|>")
    for letter, label in list(zip(LETTERS, labels, strict=True))[: len(request.candidates)]:
        turns = [{"role": "user", "content": content}, {"role": "assistant", "content": letter}]
        whole = tokenizer.apply_chat_template(turns, tokenize=True, return_dict=False)
        assert [*prompt, label, prompter.end_of_turn()] == whole[: len(prompt) + 2]
        assert label == tokenizer.convert_tokens_to_ids(letter)
        assert prompter.end_of_turn() == ends
        assert tokenizer.decode(whole[len(prompt) + 2 :]).strip() == "", "the turn ends there"


TEMPLATES: dict[str, Callable[[str | None], str | None]] = {
    "its own": lambda own: own,
    "Qwen2.5's": lambda _: QWEN25_TEMPLATE,
    "Qwen3's": lambda _: QWEN3_TEMPLATE,
}


@pytest.mark.real
@pytest.mark.parametrize("request_", [QUESTION, HISTORY], ids=["question", "history"])
@pytest.mark.parametrize("template", TEMPLATES)
def test_the_real_vocabulary(qwen_vocabulary: Path, template: str, request_: Request) -> None:
    tokenizer = AutoTokenizer.from_pretrained(qwen_vocabulary)
    tokenizer.chat_template = TEMPLATES[template](tokenizer.chat_template)
    check(tokenizer, request_)


@pytest.mark.parametrize("template", [CHATML, QWEN25_TEMPLATE, QWEN3_TEMPLATE], ids=["Qwen2", "Qwen2.5", "Qwen3"])
def test_a_small_vocabulary(template: str) -> None:
    tokenizer = byte_level_tokenizer(template)
    check(tokenizer, QUESTION)
    check(tokenizer, HISTORY)


def test_only_qwen3_thinks_of_nothing() -> None:
    tokenizer = byte_level_tokenizer(QWEN3_TEMPLATE)
    prompter = Prompter(tokenizer, Budget(32, 20, 4096), read_templates())
    assert tokenizer.decode(prompter.render(QUESTION).tokens).endswith("assistant\n<think>\n\n</think>\n\n")
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "A"}, {"role": "user", "content": "!"}]
    assert "think" not in tokenizer.apply_chat_template(turns, tokenize=False), "a turn that is over shows no thoughts"


def test_the_end_of_the_turn_is_the_template_s_not_the_tokenizer_s() -> None:
    """Qwen's base models end a text by another token than a turn."""
    tokenizer = byte_level_tokenizer(QWEN25_TEMPLATE)
    tokenizer.eos_token = "<|endoftext|>"
    check(tokenizer, QUESTION)


def test_a_template_that_ends_no_turn_leaves_it_to_the_tokenizer() -> None:
    tokenizer = byte_level_tokenizer("{% for message in messages %}{{ message.content }}{% endfor %}")
    prompter = Prompter(tokenizer, Budget(32, 20, 4096), read_templates())
    assert prompter.end_of_turn() == tokenizer.eos_token_id
    tokenizer.eos_token = None
    with pytest.raises(RerankError, match="does not end an answer"):
        prompter.end_of_turn()
