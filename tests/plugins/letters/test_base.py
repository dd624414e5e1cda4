"""The embedded base: what is shipped, and that its script makes the same weights every time."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from experiments.pretrain_letters.__main__ import HELD_OUT_WORLDS, MODULE, STAGES, TRAIN_WORLDS, main
from experiments.pretrain_letters.learner import sample
from experiments.pretrain_letters.worlds import BENCH_SEED, THEME_OF, Composer, draw, world
from transformers import AutoModelForCausalLM, AutoTokenizer

from rr import Document, Query, Request
from rr.files import file_sha256
from rr_data.generators.films import ADJECTIVES, THEMES
from rr_letters.base import tiny_base
from rr_letters.labels import encode, label_tokens
from rr_letters.prompt import Budget, Prompter
from rr_letters.templates import read_templates
from rr_torch.loading import quiet

MIB = 2**20


def card() -> str:
    return (tiny_base() / "README.md").read_text(encoding="utf-8")


def test_plain_transformers_load_the_shipped_folder() -> None:
    with quiet():
        model, loading = AutoModelForCausalLM.from_pretrained(tiny_base(), output_loading_info=True)
    assert type(model).__name__ == "Qwen3ForCausalLM"
    assert not loading["missing_keys"]
    assert not loading["unexpected_keys"]
    assert sum(file.stat().st_size for file in tiny_base().iterdir()) <= 10 * MIB


@pytest.mark.parametrize("history", [(), (Document("h", "", "The Bitter Harbor"),)])
def test_all_letters_are_distinct_single_tokens_after_a_prompt(history: tuple[Document, ...]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_base())
    request = Request(Query("u", "Where?", history), (Document("0", "?"),))
    text = Prompter(tokenizer, Budget(32, 20, 1536), read_templates()).text(request, ["The Bitter Harbor"], ["?"])
    assert len(set(label_tokens(tokenizer, text))) == 52


def test_the_words_of_film_titles_are_single_tokens_and_any_text_can_be_encoded() -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_base())
    words = (THEMES + ADJECTIVES).title().split()
    assert [word for word in words if len(encode(tokenizer, f" {word}")) != 1] == []
    text = "Máy in kẹt giấy, 打印机 🖨"
    assert tokenizer.decode(encode(tokenizer, text)) == text


def test_the_card_names_its_command_and_the_weights_that_are_shipped() -> None:
    assert f"    python -m {MODULE} --out " in card()
    assert "--steps" not in card()
    assert file_sha256(tiny_base() / "model.safetensors") in card()


def test_the_script_makes_the_same_weights_every_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("first", "second"):
        main(["--out", str(tmp_path / name), "--steps", "2", "--worlds", "1"])
    assert file_sha256(tmp_path / "first/model.safetensors") == file_sha256(tmp_path / "second/model.safetensors")
    assert file_sha256(tmp_path / "first/tokenizer.json") == file_sha256(tiny_base() / "tokenizer.json")
    written = (tmp_path / "first/README.md").read_text(encoding="utf-8")
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| 8 |")]
    assert len(rows) == 2
    assert rows[0].rpartition(" | ")[0] in written


def test_no_world_is_the_benchs() -> None:
    seed = BENCH_SEED
    assert seed not in TRAIN_WORLDS
    assert seed not in HELD_OUT_WORLDS
    assert not set(TRAIN_WORLDS) & set(HELD_OUT_WORLDS)
    with pytest.raises(AssertionError):
        world(seed)


def test_a_task_has_one_candidate_of_the_themes_in_its_history() -> None:
    generator = random.Random(0)
    for repeats in (0.0, 1.0):
        for _ in range(20):
            task = draw(world(100), 20, 8, repeats, 0, generator)
            themes = {THEME_OF[film.title.split()[-1]] for film in task.history}
            fitting = [n for n, film in enumerate(task.candidates) if THEME_OF[film.title.split()[-1]] in themes]
            assert set(fitting) <= {task.answer}
            assert (task.candidates[task.answer] in task.history) == bool(repeats)


def test_rivals_are_of_the_histories_themes_and_not_met() -> None:
    generator = random.Random(0)
    counts = set()
    for _ in range(60):
        task = draw(world(100), 20, 8, 0.0, 4, generator)
        assert len({film.id for film in task.candidates}) == 20
        themes = {THEME_OF[film.title.split()[-1]] for film in task.history}
        fitting = [film for film in task.candidates if THEME_OF[film.title.split()[-1]] in themes]
        assert task.candidates[task.answer] in fitting
        assert not {film.id for film in fitting} & {film.id for film in task.history}
        counts.add(len(fitting) - 1)
    assert counts == {0, 1, 2, 3, 4}


def test_pieces_make_the_tokens_of_the_prompter() -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_base())
    composer = Composer(tokenizer, Prompter(tokenizer, Budget(32, 20, 1536), read_templates()))
    for stage in STAGES[1:]:
        for task in sample(stage, 100, random.Random(0)):
            composer.check(task)
