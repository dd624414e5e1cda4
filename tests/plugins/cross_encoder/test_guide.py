"""The fine-tuning guide's own commands: its flags, on a CSV of documents and an XLSX of labelled questions."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from tests.bench.test_bench import TRAINABLE
from tests.bench.test_cli import failed
from tests.conftest import ROOT, Rr
from tests.plugins.conftest import TOPICS

Bert = Callable[..., Path]
FILES = ("--corpus_csv", "corpus.csv", "--train_xlsx", "train.xlsx")
FULL = ("--registry", ROOT / "registry.yaml", "--profile", "full")
FLAGS = (
    *("--batch_size", "4", "--gradient_accumulation_steps", "2", "--epochs", "5", "--lr", "2e-5", "--dev_ratio", "0.2"),
    *(
        "--max_seq_length",
        "128",
        "--save_steps",
        "2",
        "--eval_steps",
        "2",
        "--max_steps",
        "5",
        "--hard_neg_top_k",
        "100",
    ),
    *("--num_hard_negatives", "2", "--num_random_negatives", "1", "--warmup", "0.1", "--dataloader_num_workers", "0"),
    *("--gradient_checkpointing", "--logging_steps", "10", "--save_total_limit", "1"),
)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Eight topics of three documents; three questions each, one with an id that the spreadsheet made a number."""
    with (tmp_path / "corpus.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["STT", "Văn bản"])
        rows.writerows([n + 1, f"{list(TOPICS)[n % 8]} là {list(TOPICS.values())[n % 8]} số {n}"] for n in range(24))
    _labelled(tmp_path / "train.xlsx", damaged=False)
    return tmp_path


def _labelled(path: Path, damaged: bool) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Query", "Ground truth document", "Ground truth answer", "Difficulty"])
    for number in range(24):
        topic, first = list(TOPICS)[number % 8], number % 8 + 1
        told = float(first) if number % 3 == 0 else f"{first}, {first + 8}"
        sheet.append([f"{topic} là gì, lần {number}?", "99+" if damaged and not number else told, "…", "dễ"])
    book.save(path)


def record(folder: Path) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = json.loads((folder / "training_info.json").read_text(encoding="utf-8"))
    return found


def test_the_guides_command_trains_what_ranks(files: Path, bert: Bert, rr_command: Rr) -> None:
    ended = rr_command("train", "cross-encoder", *FULL, *FILES, *FLAGS, "--base_model", bert(1), "--timestamp")
    assert ended.returncode == 0, ended.stderr
    assert re.fullmatch(r"reranker-finetuned-\d{8}-\d{6}", ended.stdout.strip())
    assert "--logging_steps is not read: the loss of every step is logged, in events.jsonl" in ended.stderr
    assert "targets on dev: balanced_accuracy " in ended.stderr
    folder = files / ended.stdout.strip()
    found = record(folder)
    assert found["data"]["name"] == "corpus"
    assert (found["settings"]["model"], found["settings"]["sha256"]) == (str(bert(1)), None)
    asked = {
        "batch_size": 4,
        "lr": 2e-5,
        "dev_ratio": 0.2,
        "warmup": 0.1,
        "gradient_checkpointing": True,
        "loss": "bce",
    }
    assert asked.items() <= found["training"].items()
    assert found["steps"] == 5
    assert [path.name for path in folder.glob("checkpoint-*")] == ["checkpoint-4"]

    documents = ("lamp là falcon", "river là hammer", "castle là tractor")
    common = ("rerank", "cross-encoder", "--registry", ROOT / "registry.yaml", "-q", "lamp là gì?", *documents)
    ranked = rr_command(*common, "--checkpoint", folder)
    assert ranked.returncode == 0, ranked.stderr
    assert sorted(line.split("\t")[2] for line in ranked.stdout.splitlines()) == ["0", "1", "2"]

    # and on from what was kept
    again = ("train", "cross-encoder", *FULL, *FILES, "--max_steps", "2", "--max_seq_length", "128", "--lr", "1e-3")
    for base in (folder, folder / "checkpoint-4"):
        out = files / f"from-{base.name}"
        ended = rr_command(*again, "--base_model", base.relative_to(files), "--output_dir", out)
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.strip() == str(out)
        assert record(out)["settings"]["model"] == str(base.relative_to(files))


def test_the_same_files_are_the_same_training(files: Path, bert: Bert, rr_command: Rr) -> None:
    command = ("train", "cross-encoder", *FULL, *FILES, "--base_model", bert(1), "--max_steps", "1")
    first, second = (rr_command(*command).stdout for _ in range(2))
    assert first == second != ""
    _labelled(files / "train.xlsx", damaged=True)
    failed(
        rr_command(*command), "data set 'corpus': train.xlsx, row 2: column 'Ground truth document'", "damaged: skip"
    )
    other = rr_command(*command, "--damaged", "skip")
    assert other.returncode == 0, other.stderr
    assert other.stdout != first


def test_a_bench_takes_the_checkpoint(files: Path, bert: Bert, rr_command: Rr, small_registry: Path) -> None:
    out = files / "mine"
    trained = rr_command(
        *("train", "cross-encoder", *FULL, *FILES, "--base_model", bert(1), "--max_steps", "1", "--out", out)
    )
    assert trained.returncode == 0, trained.stderr
    settings = {"model": str(bert(1)), "max_seq_length": 64}
    entry = {"scorer": "cross_encoder", "checkpoint": str(out), "settings": settings}
    text = small_registry.read_text(encoding="utf-8") + f"  ranker: {json.dumps(entry)}\n"
    small_registry.write_text(text, encoding="utf-8")
    ended = rr_command("bench", "ranker", "--registry", small_registry)
    assert ended.returncode == 0, ended.stderr
    assert "corpus" in ended.stdout


def test_any_reranker_with_a_trainer_takes_the_files(files: Path, small_registry: Path, rr_command: Rr) -> None:
    small_registry.write_text(small_registry.read_text(encoding="utf-8") + TRAINABLE, encoding="utf-8")
    ended = rr_command("train", "head", "--registry", small_registry, *FILES, "--epochs", "1")
    assert ended.returncode == 0, ended.stderr
    assert record(files / ended.stdout.strip())["data"]["name"] == "corpus"


def test_mistakes_are_one_line(files: Path, bert: Bert, small_registry: Path, rr_command: Rr) -> None:
    small_registry.write_text(small_registry.read_text(encoding="utf-8") + TRAINABLE, encoding="utf-8")
    train = ("train", "head", "--registry", small_registry)
    failed(rr_command(*train, *FILES[:2]), "--corpus_csv without --train_xlsx")
    failed(rr_command(*train, *FILES[2:]), "--train_xlsx without --corpus_csv")
    failed(rr_command(*train, *FILES, "-d", "rooms"), "are two data sets; keep one")
    failed(rr_command(*train, *FILES[:3], "gone.xlsx"), "gone.xlsx: no such file")
    failed(rr_command(*train, "--corpus_csv", "gone.csv", *FILES[2:]), "gone.csv: no such file")
    failed(rr_command(*train, "--corpus_csv", "train.xlsx", "--train_xlsx", "corpus.csv"), "train.xlsx")
    failed(rr_command(*train, *FILES, "--damaged", "sip"), "options: damaged: Input should be 'error' or 'skip'")
    failed(rr_command(*train, "--corpus_cvs", "corpus.csv"), "name the data set")
    failed(rr_command(*train, "--corpus_cvs", "x", "-d", "rooms"), "did you mean 'corpus-csv'?")
    failed(rr_command("train", "bm25", "--registry", small_registry, *FILES), "no trainer")
    failed(rr_command(*train, *FILES, "--output_dir", files), "exists already")
    failed(rr_command(*train, *FILES, "--base_model", "small/no"), "no such folder in small")
