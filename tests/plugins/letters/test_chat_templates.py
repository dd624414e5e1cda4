"""Chat templates that lose the user's turn or have the model think first: one line when the model is loaded."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from rr import Document, Query, Request, RerankError
from rr_letters.prompt import Budget, Prompter
from rr_letters.scorer import LetterScorer
from rr_letters.settings import LetterSettings
from rr_letters.templates import read_templates
from tests.plugins.conftest import CHATML, QWEN3_CHATML, byte_level_tokenizer
from tests.plugins.letters.helpers import QWEN3_TEMPLATE, QWEN25_TEMPLATE

TURN = "{{ messages[-1].content }}"
START = "<|im_start|>user\n"
END = "<|im_end|>\n<|im_start|>assistant\n"


def check(template: str | None) -> None:
    Prompter(byte_level_tokenizer(template), Budget(32, 20, 1536), read_templates()).check()  # type: ignore[arg-type]


GOOD = {
    "ChatML": CHATML,
    "Qwen2.5": QWEN25_TEMPLATE,
    "Qwen3": QWEN3_TEMPLATE,
    "an empty think block": QWEN3_CHATML,
    "Mistral's": "[INST] " + TURN + " [/INST]",
    "trimmed": START + "{{ messages[-1].content | trim }}" + END,
    "thought and done": START + TURN + END + "[THINK][/THINK]",
    "Cohere's": TURN + "<|START_THINKING|><|END_THINKING|><|START_RESPONSE|>",
    "a system prompt that speaks of <think>": "Do not <think> first. " + START + TURN + END,
}


@pytest.mark.parametrize("name", GOOD)
def test_a_template_that_holds_the_turn_is_used(name: str) -> None:
    check(GOOD[name])


LOST = {
    "nothing of it": (START + END, "not as it is"),
    "the system's turn alone": (
        "{% for m in messages if m.role == 'system' %}{{ m.content }}{% endfor %}" + END,
        "not as it is",
    ),
    "all but the last turn": ("{% for m in messages[:-1] %}{{ m.content }}{% endfor %}" + END, "not as it is"),
    "cut": (START + "{{ messages[-1].content[:1000] }}" + END, "not as it is"),
    "its first line": (START + "{{ messages[-1].content.split('\\n')[0] }}" + END, "not as it is"),
    "escaped": (START + "{{ messages[-1].content | upper }}" + END, "not as it is"),
    "twice": (START + TURN + "\n" + TURN + END, "more than once"),
    "refused": ("{{ raise_exception('Conversation roles must alternate') }}", "roles must alternate"),
    "broken": ("{{ messages[", "cannot render"),
    "parts expected": ("{% for part in messages[-1].content %}{{ part.text }}{% endfor %}", "not as it is"),
}


@pytest.mark.parametrize("name", LOST)
def test_a_template_that_loses_the_turn_is_refused(name: str) -> None:
    template, problem = LOST[name]
    with pytest.raises(RerankError, match=f"the chat template .*{problem}.*; name another model") as caught:
        check(template)
    assert "\n" not in str(caught.value)


def test_a_tokenizer_without_a_template_is_refused() -> None:
    with pytest.raises(RerankError, match=r"the chat template cannot render a turn of the user's \(.*; name another"):
        check(None)


@pytest.mark.parametrize(
    "opened",
    ["<think>\n", "<think>", "<thinking>", "[THINK]", "<|START_THINKING|>", "<seed:think>", "<|begin_of_thought|>",
     "<reasoning>", "<think></think><think>"],
)  # fmt: skip
def test_a_template_that_ends_inside_a_thought_is_refused(opened: str) -> None:
    with pytest.raises(RerankError, match=r"ends inside .*, though enable_thinking is false"):
        check(START + TURN + END + opened)


@pytest.fixture
def model(qwen: Callable[[str], Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(qwen("flat"), tmp_path / "model"))


@pytest.mark.parametrize("template", [START + END, START + TURN + END + "<think>\n"])
def test_it_is_said_when_the_model_is_loaded(template: str, model: Path) -> None:
    (model / "chat_template.jinja").write_text(template, encoding="utf-8")
    with pytest.raises(RerankError, match=f"model '{model}': the chat template"):
        LetterScorer(LetterSettings(model=str(model)))


def requests(number: int) -> list[Request]:
    documents = (Document("a", "a lamp"), Document("b", "a river"))
    return [Request(Query(str(n), f"which one is it, of {n}"), documents) for n in range(number)]


def test_a_low_label_mass_is_warned_of_once(model: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A model drawn at random likes every token alike: 2 letters of some 600 have little."""
    scorer = LetterScorer(LetterSettings(model=str(model)))
    with caplog.at_level(logging.WARNING):
        mass = scorer.score(requests(1))[0].diagnostics["label_mass"]
        scorer.score(requests(3))
    assert mass < 0.01
    (record,) = [one for one in caplog.records if one.name.startswith("rr_letters")]
    assert f"the answer letters have {mass:.2g} of the probability (label mass, mean of 1)" in record.getMessage()


def test_the_embedded_base_answers_with_letters(caplog: pytest.LogCaptureFixture) -> None:
    films = tuple(Document(str(n), f"Film number {n}") for n in range(5))
    asked = Request(Query("q", "next", films[:2]), films[2:])
    with caplog.at_level(logging.WARNING):
        assert LetterScorer(LetterSettings()).score([asked])[0].diagnostics["label_mass"] > 0.5
    assert not [one for one in caplog.records if one.name.startswith("rr_letters")]
