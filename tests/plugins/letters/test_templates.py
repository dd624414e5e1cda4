"""The texts around a request: files that a user can put in the place of the plugin's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoTokenizer

import rr
from rr import RerankError
from rr_letters.model import LetterModel
from rr_letters.scorer import LetterScorer
from rr_letters.settings import LetterTraining
from rr_letters.templates import read_templates
from rr_letters.trainer import add_lora
from tests.plugins.letters.helpers import SMALL, Qwen, next_item, passages, plain_answer, prompt_of, settings

OWN = "Which one, {question}\nthen? {{x}}\n{candidates}\nSay {letters}:"


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "own.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_template_of_ones_own_is_the_prompt(qwen: Qwen, tmp_path: Path) -> None:
    own = settings(qwen("qwen3"), passage_template=written(tmp_path, OWN))
    tokens = prompt_of(own, passages("he said {letters}", ["one", "two {question}"])).tokens
    text = AutoTokenizer.from_pretrained(own.model).decode(tokens)
    said = text.removeprefix("<|im_start|>user\n").partition("<|im_end|>")[0]
    assert said == "Which one, he said {letters}\nthen? {x}\nA. one\nB. two {question}\nSay A-B:"
    assert "User history" in AutoTokenizer.from_pretrained(own.model).decode(
        prompt_of(own, next_item(["met"], ["new"])).tokens
    ), "the other task keeps its own"


def test_a_registry_names_templates(qwen: Qwen, tmp_path: Path) -> None:
    registry = tmp_path / "registry.yaml"
    registry.write_text(
        f"""
version: 1
default_profile: own
profiles:
  own: {{suite: own}}
suites:
  own:
    baseline: shipped
    datasets: {{films: {{generator: films}}}}
rerankers:
  shipped: {{scorer: letters, settings: {{model: "{qwen("qwen3")}"}}}}
  own:
    scorer: letters
    settings: {{model: "{qwen("qwen3")}", passage_template: "{written(tmp_path, OWN)}"}}
""",
        encoding="utf-8",
    )
    request = passages("query", ["here", "there", "anywhere"], id_="query")
    found = {}
    for name, options in {"shipped": {}, "own": {"passage_template": tmp_path / "own.txt"}}.items():
        ranking = rr.load(name, registry=registry).rerank(request.query, request.candidates)
        found[name] = [ranking.scores[document.id] for document in request.candidates]
        assert found[name] == pytest.approx(plain_answer(settings(qwen("qwen3"), **options), request)[0], abs=1e-5)
    assert found["own"] != pytest.approx(found["shipped"], abs=1e-3)


WRONG: list[tuple[str | bytes | None, str]] = [
    (None, r"own\.txt cannot be read: .*No such file"),
    (b"\xff\xfe{question}", "cannot be read: .*utf-8"),
    ("{question} {candidates}", r"lacks \{letters\}; double a brace"),
    ("", r"lacks \{candidates\} and lacks \{letters\} and lacks \{question\};"),
    ("{question} {candidates} {letters} {histroy}", r"has \{histroy\}, which does not exist; double a brace"),
    ("{question} {candidates} {letters} {}", r"has \{\}, which does not exist"),
    ("{question.text} {candidates} {letters}", r"lacks \{question\} and has \{question\.text\}, which"),
    ("{question} {candidates} {letters} {history[0]}", r"has \{history\[0\]\}, which does not exist"),
    ("{question} {candidates!x} {letters}", r"lacks \{candidates\} and has \{candidates!x\}, which"),
    ("{question} {candidates:d} {letters}", r"lacks \{candidates\} and has \{candidates:d\}, which"),
    ("{question:{width}} {candidates} {letters}", r"lacks \{question\} and has \{question:\{width\}\}, which"),
    ("{question} {candidates} {letters} {", r"cannot be read: .*'\{'"),
    ("{question} {candidates} {letters} }", r"cannot be read: .*'\}'"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_a_template_that_is_wrong_is_one_clear_line(
    qwen: Qwen, tmp_path: Path, text: str | bytes | None, message: str
) -> None:
    path = tmp_path / "own.txt" if text is None else written(tmp_path, text)
    with pytest.raises(RerankError, match=f"prompt template .*{message}") as error:
        read_templates(passage=path)
    assert "\n" not in str(error.value)
    with pytest.raises(RerankError, match="prompt template"):
        settings(qwen("qwen3"), passage_template=path).weights()


def test_marks_and_line_ends_of_an_editor_are_no_text(tmp_path: Path) -> None:
    plain = read_templates(passage=written(tmp_path, OWN + "\n"))
    edited = read_templates(passage=written(tmp_path, b"\xef\xbb\xbf" + OWN.replace("\n", "\r\n").encode() + b"\r\n"))
    assert edited == plain
    assert plain.passage == OWN


def test_a_changed_template_is_other_weights(qwen: Qwen, tmp_path: Path) -> None:
    """Scores are cached under them: the name of the file alone would bring back those of the old text."""
    own = settings(qwen("qwen3"), passage_template=written(tmp_path, OWN))
    before = own.weights()
    assert before != settings(qwen("qwen3")).weights()
    written(tmp_path, OWN + " now")
    assert own.weights() != before
    written(tmp_path, OWN)
    assert own.weights() == before


def test_a_checkpoint_of_other_templates_is_refused(qwen: Qwen, tmp_path: Path) -> None:
    own = settings(qwen("qwen3"), passage_template=written(tmp_path, OWN), **SMALL)
    letters = LetterModel(own, None)
    add_lora(letters, LetterTraining())
    letters.save(tmp_path / "out", merge=False)
    request = passages("?", ["x", "y"])
    scores = LetterScorer(own, tmp_path / "out").score([request])[0].values
    assert scores == pytest.approx(plain_answer(own, request)[0], abs=1e-5)  # LoRA starts as nothing
    with pytest.raises(RerankError, match=r"trained with other prompt templates; train again, or name those"):
        LetterScorer(settings(qwen("qwen3"), **SMALL), tmp_path / "out")
