"""The head as a sentence-transformers model, loaded by sentence-transformers alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import Result
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize
from typer.testing import CliRunner

from rr import RerankError
from rr.files.kept import with_checksum
from rr_bench.cli.app import app
from rr_head.model import make_head, save_head
from rr_head.scorer import HeadScorer
from rr_head.settings import HeadSettings

TEXTS = ["where is the lamp", "Phòng trọ quận 1, giá 3.5 triệu", "the falcon " * 300, ""]


@pytest.fixture
def settings(sentence_encoder: Path) -> HeadSettings:
    return HeadSettings(model=str(sentence_encoder), max_seq_length=48, dimensions=8)


@pytest.fixture
def checkpoint(settings: HeadSettings, tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    head = make_head(settings, 32, None)
    save_head(head, head.weight, settings, 0.07, folder)
    data = {"name": "none", "fingerprint": ""}
    record = {"files": {}, "finished": "", "seconds": 1, "notes": [], "data": data}
    (folder / "training_info.json").write_text(json.dumps(with_checksum(record)), encoding="utf-8")
    return folder


def ours(settings: HeadSettings, checkpoint: Path) -> torch.Tensor:
    with torch.no_grad():
        return torch.nn.functional.normalize(HeadScorer(settings, checkpoint).embed(TEXTS), dim=-1).cpu()


def test_an_exported_model_gives_our_vectors(settings: HeadSettings, checkpoint: Path, tmp_path: Path) -> None:
    HeadScorer(settings, checkpoint).export(tmp_path / "served")
    loaded = SentenceTransformer(str(tmp_path / "served"), device="cpu")
    names = [type(module).__name__ for module in loaded]
    assert names == ["Transformer", "Pooling", "Dense", "Normalize"]
    vectors = loaded.encode(TEXTS, convert_to_tensor=True)
    torch.testing.assert_close(vectors, ours(settings, checkpoint), atol=1e-5, rtol=0)
    assert not list((tmp_path / "served").rglob("*.bin"))


@pytest.mark.parametrize("given", ["by the folder", "by the settings"])
def test_the_encoders_own_prompts_go_along(settings: HeadSettings, tmp_path: Path, given: str) -> None:
    prompts = {"query": "where is the ", "passage": "the offer: "}
    own = SentenceTransformer(settings.model, device="cpu", prompts=prompts if given == "by the folder" else None)
    own.save(str(tmp_path / "prompting"))
    update = {"model": str(tmp_path / "prompting")}
    if given == "by the settings":
        update |= {"query_prompt": prompts["query"], "document_prompt": prompts["passage"]}
    scorer = HeadScorer(settings.model_copy(update=update))
    scorer.export(tmp_path / "served")
    served = SentenceTransformer(str(tmp_path / "served"), device="cpu")
    found = served.encode_query(TEXTS, convert_to_tensor=True), served.encode_document(TEXTS, convert_to_tensor=True)
    with torch.no_grad():
        expected = [torch.nn.functional.normalize(scorer.embed(TEXTS, role)).cpu() for role in ("query", "document")]
    for vectors, ours_ in zip(found, expected, strict=True):
        torch.testing.assert_close(vectors, ours_, atol=1e-5, rtol=0)
    assert (found[0] - found[1]).abs().max() > 1e-2


def test_a_head_is_loaded_with_the_prompts_that_it_was_trained_with_only(
    settings: HeadSettings, checkpoint: Path, tmp_path: Path
) -> None:
    HeadScorer(settings, checkpoint)
    prompting = settings.model_copy(update={"query_prompt": "where is the "})
    with pytest.raises(RerankError, match=r"'prompts': \{'query': 'where is the ', 'document': ''\}"):
        HeadScorer(prompting, checkpoint)


def test_an_encoder_that_normalises_already(settings: HeadSettings, tmp_path: Path) -> None:
    folder = tmp_path / "normalising"
    plain = SentenceTransformer(settings.model, device="cpu")
    SentenceTransformer(modules=[*plain, Normalize()], device="cpu").save(str(folder))
    settings = settings.model_copy(update={"model": str(folder)})
    head = make_head(settings, 32, None)
    (tmp_path / "checkpoint").mkdir()
    save_head(head, head.weight, settings, 0.07, tmp_path / "checkpoint")
    HeadScorer(settings, tmp_path / "checkpoint").export(tmp_path / "served")
    loaded = SentenceTransformer(str(tmp_path / "served"), device="cpu")
    assert [type(module).__name__ for module in loaded].count("Normalize") == 1
    vectors = loaded.encode(TEXTS, convert_to_tensor=True)
    torch.testing.assert_close(vectors, ours(settings, tmp_path / "checkpoint"), atol=1e-5, rtol=0)


def rr(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture
def registry(settings: HeadSettings, small_registry: Path) -> Path:
    entry = {"scorer": "head", "trainer": "head", "settings": settings.model_dump(mode="json")}
    with small_registry.open("a", encoding="utf-8") as file:
        file.write(f"  head: {json.dumps({**entry, 'training': {'epochs': 2}})}\n")
    return small_registry


def test_a_head_is_trained_shown_and_exported_by_the_commands(
    settings: HeadSettings, registry: Path, tmp_path: Path
) -> None:
    checkpoint, served = tmp_path / "trained", tmp_path / "served"
    total = sum(weight.numel() for weight in SentenceTransformer(settings.model, device="cpu").parameters()) + 32 * 8
    trained = rr("train", "head", "-d", "rooms", "--out", checkpoint, "--registry", registry)
    assert f"256 of {total:,} parameters trained" in trained.stderr
    shown = rr("info", "head", "--load", "--registry", registry)
    assert f"parameters:\n  total: {total}\n  trainable: 256" in shown.stdout
    exported = rr("export", "head", checkpoint, served, "--registry", registry)
    assert exported.stdout == f"{served}\n"

    script = (
        "import json, sys; from sentence_transformers import SentenceTransformer as S\n"
        "print(json.dumps(S('served', device='cpu').encode(json.loads(sys.argv[1])).tolist()))\n"
        "assert not [name for name in sys.modules if name.split('.')[0] in ('rr', 'rr_head')]"
    )
    command = [sys.executable, "-c", script, json.dumps(TEXTS)]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", check=True)
    torch.testing.assert_close(torch.tensor(json.loads(told.stdout)), ours(settings, checkpoint), atol=1e-5, rtol=0)

    with pytest.raises(RerankError, match="served exists already; delete it, or name another folder"):
        rr("export", "head", checkpoint, served, "--registry", registry)


def test_a_config_of_the_recipes_own_script_is_trained_by(registry: Path, tmp_path: Path) -> None:
    config, out = tmp_path / "config.json", tmp_path / "trained"
    config.write_text(
        '{"// a": "", "epochs": 3, "learning_rate": 0.001, "d_out": 4, "device": "auto", "train_split": 0.8}',
        encoding="utf-8",
    )
    done = rr("train", "head", "-d", "rooms", "--config", config, "--lr", "2e-3", "--out", out, "--registry", registry)
    assert "config: 'device' is not read: the GPU is used where there is one" in done.stderr
    record = json.loads((out / "training_info.json").read_text(encoding="utf-8"))
    assert (record["training"]["epochs"], record["training"]["lr"], record["settings"]["dimensions"]) == (3, 2e-3, 4)
    assert (record["training"]["dev_ratio"], record["dev_share"]) == (0.2, [0.2, 0])
    figures = json.loads((out / "dev_metrics.json").read_text(encoding="utf-8"))["metrics"]
    assert f"on dev: {', '.join(f'{name} {value:.3f}' for name, value in figures.items())}\n" in done.stderr


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("[]", "must be a JSON object of settings, not list"),
        ('{"epochs": 0}', "training: epochs: Input should be greater than 0"),
        ('{"epoch": 1}', "unknown key 'epoch'; did you mean 'epochs'?"),
    ],
)
def test_a_config_that_cannot_be_followed(registry: Path, tmp_path: Path, content: str, problem: str) -> None:
    config = tmp_path / "config.json"
    config.write_text(content, encoding="utf-8")
    with pytest.raises(RerankError) as raised:
        rr("train", "head", "-d", "rooms", "--config", config, "--registry", registry)
    assert problem in str(raised.value)


def test_what_has_no_such_form_is_said_in_one_line(checkpoint: Path, registry: Path, tmp_path: Path) -> None:
    with pytest.raises(RerankError, match=r"'bm25' cannot be exported: Bm25Scorer has no method 'export\(out\)'"):
        rr("export", "bm25", checkpoint, tmp_path / "other", "--registry", registry)
    with pytest.raises(RerankError, match="no checkpoint"):
        rr("export", "head", tmp_path / "nothing", tmp_path / "other", "--registry", registry)
    assert not (tmp_path / "other").exists()
