"""Settings of a registry entry as flags of `rr train`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from rr import RegistryError, RerankError, Settings
from rr.registry.plugins import Plugins, Registered, installed_plugins
from rr.spec import Component
from rr_bench.cli.flags import with_flags
from rr_bench.resolve import resolve
from rr_bench.schema import RerankerEntry
from rr_bench.train.trainers import training_settings
from tests.bench.test_bench import trainable_registry  # noqa: F401 - a fixture
from tests.bench.test_cli import failed
from tests.conftest import Rr


class Scorer:
    class Settings(Settings):
        model: str = "base"
        seed: int = 1
        batch_size: int = 64
        no_title: bool = False


class Trainer:
    class Settings(Settings):
        lr: float = 1.0
        seed: int = 0
        batch_size: int = 8
        fp16: bool = False
        patience: int | None = 3
        cache: bool | None = None
        targets: tuple[str, ...] = ()
        ratios: tuple[float, ...] = ()


@pytest.fixture
def plugins() -> Plugins:
    return Plugins(
        [
            Registered(Component("toy", f"{__name__}:Scorer", ""), "scorer", "toy", "toy", "1"),
            Registered(Component("toy", f"{__name__}:Trainer", ""), "trainer", "toy", "toy", "1"),
        ]
    )


ENTRY = RerankerEntry(scorer="toy", trainer="toy", training={"lr": 2.0, "seed": 5}, settings={"model": "mine"})


def read(plugins: Plugins, *arguments: str) -> RerankerEntry:
    return with_flags(plugins, "toy", ENTRY, arguments, ["--out", "--dataset", "-d"])


@pytest.mark.parametrize(
    ("arguments", "training", "settings"),
    [
        ("--batch-size 4", {"batch_size": 4}, {}),
        ("--batch_size=4", {"batch_size": 4}, {}),
        ("--lr 1e-5", {"lr": "1e-5"}, {}),  # YAML 1.1 reads it as text; the settings read it as a number
        ("--lr -1", {"lr": -1}, {}),
        ("--lr=-1.5", {"lr": -1.5}, {}),
        ("--fp16 --lr .5", {"fp16": True, "lr": 0.5}, {}),
        ("--lr .5 --fp16", {"fp16": True, "lr": 0.5}, {}),
        ("--no-fp16 --cache", {"fp16": False, "cache": True}, {}),
        ("--fp16 false", {"fp16": False}, {}),
        ("--patience null", {"patience": None}, {}),
        ("--targets [q,v]", {"targets": ["q", "v"]}, {}),
        ("--ratios [-1,0.5]", {"ratios": [-1, 0.5]}, {}),
        ("--model other", {}, {"model": "other"}),
        ("--seed 7", {"seed": 7}, {}),
        ("--settings.seed 7", {}, {"seed": 7}),
        ("--training.seed 8 --settings.seed 7", {"seed": 8}, {"seed": 7}),
        ("--settings.batch-size=7", {}, {"batch_size": 7}),
        ("--no-title", {}, {"no_title": True}),
        ("--no-no-title", {}, {"no_title": False}),
    ],
)
def test_flags_are_the_entry_that_yaml_would_make(
    plugins: Plugins, arguments: str, training: dict[str, Any], settings: dict[str, Any]
) -> None:
    expected = {
        "scorer": "toy",
        "trainer": "toy",
        "training": {"lr": 2.0, "seed": 5, **training},
        "settings": {"model": "mine", **settings},
    }
    written = yaml.safe_load(yaml.safe_dump(expected))
    assert read(plugins, *arguments.split()) == RerankerEntry.model_validate(written)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--bach-size 4", r"^'toy' has no setting --bach-size \(.*'rr info toy'.*\); did you mean 'batch-size'\?$"),
        ("--datset x", "did you mean 'dataset'"),
        ("--settings.lr 4", "no setting --settings.lr"),
        ("--other.lr 4", "no setting --other.lr"),
        ("--batch-size", "^--batch-size needs a value: --batch-size VALUE$"),
        ("--lr --fp16", "^--lr needs a value"),
        ("--no-patience", "no setting --no-patience"),
        ("--no-fp16 true", "^--no-fp16 takes no value"),
        ("--lr 1 2", "^'2' belongs to no flag"),
        ("-lr 1", "^'-lr' belongs to no flag"),
        ("--lr 1 --lr=2", "^--lr is given twice"),
        ("--fp16 --no-fp16", "^--no-fp16 is given twice"),
        ("--targets [q", "^--targets: '\\[q' cannot be read as YAML"),
        ("--lr 2024-13-01", "cannot be read as YAML"),
    ],
)
def test_what_is_mistyped_is_one_line(plugins: Plugins, arguments: str, message: str) -> None:
    with pytest.raises(RerankError, match=message) as error:
        read(plugins, *arguments.split())
    assert "\n" not in str(error.value)


def test_a_flag_without_a_value_is_no_number(plugins: Plugins) -> None:
    """In pydantic's eyes true is 1, so `--lr` alone would train with a rate of 1."""
    assert Trainer.Settings.model_validate({"lr": True}).lr == 1
    with pytest.raises(RerankError, match="needs a value"):
        read(plugins, "--lr")


def test_a_preset_lies_over_the_entry_and_other_flags_over_it() -> None:
    entry = RerankerEntry(
        scorer="cross_encoder",
        trainer="cross_encoder",
        training={"epochs": 2, "head_lr": 0.1},
        settings={"model": "base"},
    )
    with_preset = with_flags(installed_plugins(), "ours", entry, ["--batch-size", "3", "--preset", "quality"])
    assert (with_preset.training["epochs"], with_preset.training["lr"]) == (10, 1e-5)
    assert (with_preset.training["batch_size"], with_preset.training["head_lr"]) == (3, 0.1)
    for wrong in ("fastest", "[fast]"):
        changed = with_flags(installed_plugins(), "ours", entry, ["--preset", wrong])
        with pytest.raises(RegistryError, match="preset: Input should be 'fast'"):
            training_settings(installed_plugins(), resolve(installed_plugins(), "ours", changed))


def test_without_flags_it_is_the_entry_itself(plugins: Plugins) -> None:
    assert read(plugins) is ENTRY
    with pytest.raises(RegistryError, match="flags of 'toy'"):
        ENTRY.overridden({"trainer": {"lr": 1}}, "flags of 'toy'")


def test_train_with_flags_is_another_checkpoint(
    rr_command: Rr,
    trainable_registry: Path,  # noqa: F811
) -> None:
    def train(*arguments: str) -> Path:
        ended = rr_command("train", "head", "-d", "rooms", "--registry", trainable_registry, *arguments)
        assert ended.returncode == 0, ended.stderr
        return Path(ended.stdout.strip())

    flags = ("--epochs", "1", "--lr=1e-3", "--dimensions", "8", "--patience", "null", "--num-hard-negatives", "0")
    folder = train(*flags)
    record = json.loads((folder / "training_info.json").read_text(encoding="utf-8"))
    asked = {"epochs": 1, "lr": 1e-3, "patience": None, "num_hard_negatives": 0, "batch_size": 4}
    assert {key: record["training"][key] for key in asked} == asked
    assert record["settings"]["dimensions"] == 8
    assert train(*flags) == folder
    assert train() != folder

    text = trainable_registry.read_text(encoding="utf-8")
    in_yaml = "{epochs: 1, lr: 1.0e-3, batch_size: 4, patience: null, num_hard_negatives: 0}"
    text = text.replace("{epochs: 2, batch_size: 4}", in_yaml).replace("dimensions: 16", "dimensions: 8")
    trainable_registry.write_text(text, encoding="utf-8")
    assert train() == folder


def test_flags_lie_over_the_profile_and_mistakes_are_one_line(
    rr_command: Rr,
    trainable_registry: Path,  # noqa: F811
) -> None:
    text = trainable_registry.read_text(encoding="utf-8")
    tall = "profiles:\n  tall: {suite: small, overrides: {head: {training: {epochs: 1, lr: 0.5}}}}\n"
    trainable_registry.write_text(text.replace("profiles:\n", tall), encoding="utf-8")
    common = ("train", "head", "-d", "rooms", "--registry", trainable_registry, "--profile", "tall")
    ended = rr_command(*common, "--lr", "0.25")
    assert ended.returncode == 0, ended.stderr
    record = json.loads((Path(ended.stdout.strip()) / "training_info.json").read_text(encoding="utf-8"))
    assert (record["training"]["epochs"], record["training"]["lr"]) == (1, 0.25)
    failed(rr_command(*common, "--lrr", "0.25"), "has no setting --lrr", "did you mean 'lr'?")
    failed(rr_command(*common, "--lr", "fast"), "reranker 'head': training: lr: ")
    failed(rr_command(*common, "--epochs", "0"), "training: epochs")
    failed(rr_command("train", "--lr", "1", *common[1:]), "comes before its settings")
    assert "rr info NAME" in rr_command("train", "--help").stdout
