"""The embedded base that reads: what is shipped, and that its script makes the same weights every time."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from experiments.pretrain_reader.__main__ import HELD_OUT_SEEDS, MODULE, TRAIN_SEEDS, main
from experiments.pretrain_reader.composer import FULL, Composer
from experiments.pretrain_reader.learner import Learner, draw
from experiments.pretrain_reader.neighbours import SHARE, Neighbours
from experiments.pretrain_reader.tiny import minilm_vocabulary, vocabulary
from experiments.pretrain_reader.worlds import BENCHED, KINDS, benched_words, held_out, world
from transformers import AutoModelForCausalLM, AutoTokenizer

from rr import Document, Query, Request
from rr.files import file_sha256
from rr_letters.base import READER, tiny_base
from rr_letters.labels import encode, label_tokens
from rr_letters.prompt import Budget, Prompter
from rr_letters.templates import read_templates
from rr_torch.loading import quiet

MIB = 2**20


def card() -> str:
    return (tiny_base(READER) / "README.md").read_text(encoding="utf-8")


def test_plain_transformers_load_the_shipped_folder() -> None:
    with quiet():
        model, loading = AutoModelForCausalLM.from_pretrained(tiny_base(READER), output_loading_info=True)
    assert type(model).__name__ == "Qwen3ForCausalLM"
    assert model.dtype == torch.float32, "16 bits are how it is kept, not how it computes"
    assert not loading["missing_keys"]
    assert not loading["unexpected_keys"]
    assert sum(file.stat().st_size for file in tiny_base(READER).iterdir()) <= 10 * MIB


@pytest.mark.parametrize("history", [(), (Document("h", "", "The Bitter Harbor"),)])
def test_all_letters_are_distinct_single_tokens_after_a_prompt(history: tuple[Document, ...]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_base(READER))
    request = Request(Query("u", "Where?", history), (Document("0", "?"),))
    text = Prompter(tokenizer, Budget(32, 20, 1536), read_templates(layout="question-last")).text(
        request, ["The Bitter Harbor"], ["?"]
    )
    assert len(set(label_tokens(tokenizer, text))) == 52


def test_it_reads_lower_case_without_tone_marks_and_any_text() -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_base(READER))
    read = tokenizer.convert_ids_to_tokens(encode(tokenizer, "A. Phòng ở ĐH, 3,5 triệu\nI. As I said\n"))
    assert read[:2] == ["A", "."]
    assert " ".join(read[2:]) == "phong o d ##h , 3 , 5 trieu Ċ I . as i said Ċ"
    for text in ("Máy in kẹt giấy", "打印机 🖨", "<|im_end|>", "x" * 5000, "\u0301"):
        assert tokenizer.pad_token_id not in encode(tokenizer, text), text


def test_the_card_names_its_command_and_the_weights_that_are_shipped() -> None:
    assert f"    python -m {MODULE} --out " in card()
    assert "--steps" not in card()
    assert file_sha256(tiny_base(READER) / "model.safetensors") in card()
    for kind, seed in BENCHED.items():
        assert f"{kind} {seed}" in card()


def test_the_script_makes_the_same_weights_every_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("first", "second"):
        main(["--out", str(tmp_path / name), "--steps", "2", "--questions", "1"])
    assert file_sha256(tmp_path / "first/model.safetensors") == file_sha256(tmp_path / "second/model.safetensors")
    assert file_sha256(tmp_path / "first/tokenizer.json") == file_sha256(tiny_base(READER) / "tokenizer.json")
    written = (tmp_path / "first/README.md").read_text(encoding="utf-8")
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| 2 | 3 | rentals")]
    assert len(rows) == 2
    assert rows[0].rpartition(" | ")[0] in written


def test_no_world_is_the_benchs() -> None:
    assert not set(TRAIN_SEEDS) & set(HELD_OUT_SEEDS)
    for kind, seed in BENCHED.items():
        assert seed not in TRAIN_SEEDS
        assert seed not in HELD_OUT_SEEDS
        for made in (world, held_out):
            with pytest.raises(AssertionError):
                made(kind, seed, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_holds_the_best_document_and_pays_for_grades(kind: str) -> None:
    generator = random.Random(0)
    asked = world(kind, 1000, 12)
    for one in asked:
        for lines, hard in ((2, 0.0), (8, 0.5), (FULL, 1.0)):
            task = draw(one, lines, hard, generator)
            assert len({document.id for document in task.shown}) == len(task.shown) <= lines
            assert sum(task.worth) == pytest.approx(1)
            assert task.worth[task.shown.index(one.best)] == max(task.worth)
            assert task.slots == sorted(set(task.slots))
            if hard == 1.0:
                assert {d.id for d in task.shown} <= {one.best.id, *(d.id for d in one.candidates)}


def test_pieces_make_the_tokens_of_the_prompter() -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_base(READER))
    composer = Composer(tokenizer, Prompter(tokenizer, Budget(64, 20, 2048), read_templates(layout="question-last")))
    for kind in KINDS:
        for one in world(kind, 1000, 5):
            composer.check(one.query, one.candidates)


def test_a_rewording_says_a_third_of_the_words_otherwise_and_alike_wherever_they_stand() -> None:
    pieces = vocabulary()
    learner = Learner(0)
    neighbours = Neighbours(learner.words, pieces, {*minilm_vocabulary()}, benched_words())
    names = {piece: number for number, piece in enumerate(pieces)}
    printer = {pieces[one] for one in neighbours.of(names["printer"])}
    assert printer & {"printers", "printing", "copier", "printed", "scanner"}, printer
    assert "printer" not in printer
    assert {"harbor", "violin", "expenses", "quillon", "password"} <= benched_words()
    assert not benched_words() & {pieces[near] for number in range(len(pieces)) for near in neighbours.of(number)}
    for piece in ("A", "I", "7", ".", "Ċ", "phong", "<|im_end|>"):
        assert not neighbours.of(names[piece]), piece
    with_some = [number for number in range(len(pieces)) if neighbours.of(number)]
    rewording = neighbours.rewording(random.Random(0))
    said = [rewording[one] for one in with_some]
    assert [rewording[one] for one in with_some] == said
    changed = [one for one, other in zip(with_some, said, strict=True) if one != other]
    assert len(changed) / len(with_some) == pytest.approx(SHARE, abs=0.02)
    assert all(rewording[one] in neighbours.of(one) for one in changed)


def test_words_are_not_trained_and_what_is_shipped_keeps_them() -> None:
    """So words that the pretraining never met lie where those that it met do."""
    learner = Learner(0)
    shipped = AutoModelForCausalLM.from_pretrained(tiny_base(READER)).get_input_embeddings().weight
    words = torch.ones(len(shipped), dtype=torch.bool)
    words[learner.rows] = False
    similar = torch.nn.functional.cosine_similarity(shipped[words], learner.words[words])
    assert similar.min() > 0.999
