"""Which checkpoint an entry is scored with, what is said of it, and what becomes of a damaged one."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import rr
from rr import Component, Dataset, ModelInfo, OnEvent, Request, RerankError, Settings, TrainingEvent
from rr.files import home
from rr.files.kept import read_json, with_checksum
from rr.registry.plugins import Plugins, Registered, installed_plugins
from rr_bench.data.load import load_dataset
from rr_bench.evaluate.results import BenchResult, Row
from rr_bench.registry import load_registry
from rr_bench.report.files import csv_text
from rr_bench.report.table import cells
from rr_bench.resolve import Resolved, resolve
from rr_bench.schema import RerankerEntry
from rr_bench.train.checkpoints import chosen_checkpoint, open_checkpoint
from rr_bench.train.training import entry_checkpoint, train
from tests.bench.test_bench import trainable_registry  # noqa: F401 - a fixture
from tests.conftest import Rr


class Scorer:
    """The length of the text, times the weight that it was trained to."""

    class Settings(Settings):
        size: int = 1

    def __init__(self, settings: Settings, checkpoint: Path | None = None) -> None:
        self._weight = json.loads((checkpoint / "weight.json").read_text()) if checkpoint else 1.0
        self.info = ModelInfo(scale="logit", state="trained" if checkpoint else "pretrained")

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        return [[self._weight * len(document.text) for document in request.candidates] for request in requests]


class Other(Scorer):
    pass


class Trainer:
    class Settings(Settings):
        weight: float = 2.0
        dev: float | None = None
        dev_ratio: float | None = None
        metric: str | None = "nDCG@10"
        told: bool = False
        """Before any training."""

        def selects_by(self) -> str | None:
            return self.metric if self.told else None

        def dev_split(self) -> tuple[float, int] | None:
            return None if self.dev_ratio is None else (self.dev_ratio, 0)

    def __init__(self, settings: Any, scorer_settings: Settings) -> None:
        self._settings = settings

    def train(self, dataset: Dataset, out: Path, on_event: OnEvent) -> None:
        (out / "state").mkdir(exist_ok=True)
        (out / "state" / "kept").write_text("for a kill")
        on_event(TrainingEvent(1, 1, loss=1.0))
        if self._settings.dev is not None:
            on_event(TrainingEvent(1, 1, dev=self._settings.dev, metric=self._settings.metric))
        (out / "model").mkdir(exist_ok=True)
        (out / "model" / "names.txt").write_text("names")
        (out / "weight.json").write_text(json.dumps(self._settings.weight))


class OtherTrainer(Trainer):
    pass


PLUGINS = Plugins(
    [
        Registered(Component(name, f"{__name__}:{target}", ""), kind, "toy", "toy", "1")
        for kind, name, target in (
            ("scorer", "toy", "Scorer"),
            ("scorer", "other", "Other"),
            ("trainer", "toy", "Trainer"),
            ("trainer", "other", "OtherTrainer"),
        )
    ]
)


@pytest.fixture
def rooms(small_registry: Path) -> Dataset:
    return load_dataset("rooms", load_registry(small_registry).dataset("rooms"))


def entry(checkpoint: str = "train", name: str = "toy", **values: Any) -> Resolved:
    return resolve(
        PLUGINS, name, RerankerEntry(**{"scorer": "toy", "trainer": "toy", "checkpoint": checkpoint, **values})
    )


def trained(data: Dataset, name: str = "toy", out: Path | None = None, **values: Any) -> Path:
    return train(PLUGINS, entry(name=name, **values), data, out).folder


def when(folder: Path) -> str:
    finished = json.loads((folder / "training_info.json").read_text(encoding="utf-8"))["finished"]
    return f"{finished[:10]} {finished[11:16]} UTC"


def dated(folder: Path, finished: str) -> None:
    path = folder / "training_info.json"
    path.write_text(json.dumps(with_checksum({**read_json(path), "finished": finished})))


# --- the record


def test_the_record_tells_what_made_the_checkpoint(rooms: Dataset) -> None:
    before = datetime.now(UTC)
    folder = trained(rooms, training={"weight": 3.0, "dev": 0.5}, settings={"size": 4})
    record = json.loads((folder / "training_info.json").read_text(encoding="utf-8"))
    assert before.timestamp() - 1 <= datetime.fromisoformat(record["finished"]).timestamp()
    assert datetime.fromisoformat(record["finished"]) <= datetime.now(UTC)
    assert (record["scorer"], record["trainer"]) == (f"{__name__}:Scorer", f"{__name__}:Trainer")
    assert record["settings"] == {"size": 4}
    assert {"weight": 3.0, "dev": 0.5, "dev_ratio": None}.items() <= record["training"].items()
    assert record["data"] == {
        "name": "rooms",
        "fingerprint": rooms.fingerprint,
        "report": json.loads(json.dumps(rooms.report)),
    }
    assert (record["dev_metric"], record["best_dev"]) == ("nDCG@10", 0.5)
    assert record["files"] == {
        "model/names.txt": hashlib.sha256(b"names").hexdigest(),
        "weight.json": hashlib.sha256(b"3.0").hexdigest(),
    }


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "weight.json").write_text("9.0"), "weight.json is not the file that was written"),
        (lambda folder: (folder / "model" / "names.txt").unlink(), "model/names.txt is missing"),
        (lambda folder: (folder / "training_info.json").unlink(), "training_info.json cannot be read"),
        (lambda folder: (folder / "training_info.json").write_text("{"), "training_info.json cannot be read"),
        (lambda folder: (folder / "training_info.json").write_text("[]"), "training_info.json cannot be read"),
    ],
)
def test_a_damaged_checkpoint_is_refused_by_name_and_trained_anew(
    rooms: Dataset, damage: Any, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = trained(rooms)
    before = open_checkpoint(folder).fingerprint()
    damage(folder)
    with pytest.raises(RerankError, match=message) as error:
        open_checkpoint(folder)
    assert str(folder) in str(error.value)
    assert "\n" not in str(error.value)
    assert trained(rooms) == folder
    assert open_checkpoint(folder).fingerprint() == before, "it was trained anew"
    assert f"{folder} is damaged" in caplog.text
    assert re.search(message, caplog.text)


def test_equal_weights_have_an_equal_fingerprint_whenever_they_were_made(rooms: Dataset, tmp_path: Path) -> None:
    first, again = trained(rooms), trained(rooms, out=tmp_path / "again")
    other = trained(rooms, training={"weight": 3.0})
    fingerprints = [open_checkpoint(folder).fingerprint() for folder in (first, again, other)]
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


# --- latest


def latest(data: Dataset | None, which: str = "latest", **values: Any) -> tuple[Path | None, tuple[str, ...]]:
    choice = chosen_checkpoint(PLUGINS, entry(which, **values), data)
    return choice.folder, choice.notes[: len(choice.remarks)]


def test_latest_is_the_newest_by_its_record_whatever_it_was_trained_on_and_called(
    rooms: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    folders = [trained(rooms, training={"weight": weight}, name=f"name{weight:.0f}") for weight in (2.0, 3.0, 4.0)]
    assert latest(rooms)[0] == folders[2]
    dated(folders[1], "2999-01-02T03:04:05.678+00:00")
    caplog.clear()
    folder, notes = latest(rooms)
    assert folder == folders[1]
    assert notes == (f"checkpoint latest: {folder.name} (trained on rooms, 2999-01-02 03:04 UTC)",)
    assert caplog.messages == [f"toy: {notes[0]}"]


def test_a_checkpoint_of_another_identity_is_not_taken(rooms: Dataset, tmp_path: Path) -> None:
    trained(rooms, scorer="other")
    trained(rooms, trainer="other")
    trained(rooms, settings={"size": 2})
    trained(rooms, out=tmp_path / "elsewhere")
    nothing = (None, ("checkpoint latest: none found, pretrained weights",))
    assert latest(rooms) == nothing
    mine = trained(rooms, training={"weight": 5.0})
    trained(rooms, settings={"size": 2}, training={"weight": 6.0})
    assert latest(rooms)[0] == mine


def test_base_weights_are_part_of_the_identity(rooms: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(rooms)
    monkeypatch.setattr(Scorer.Settings, "weights", lambda settings: "others", raising=False)
    assert latest(rooms)[0] is None


def test_weights_that_the_training_names_are_part_of_its_key(rooms: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    first = trained(rooms)
    monkeypatch.setattr(Trainer.Settings, "weights", lambda settings: "others", raising=False)
    assert trained(rooms) != first


def test_other_data_are_told(rooms: Dataset) -> None:
    folder = trained(rooms)
    same = f"checkpoint latest: {folder.name} (trained on rooms, {when(folder)})"
    assert latest(None) == (folder, (same,))
    assert latest(replace(rooms, name="halls", fingerprint="f" * 64)) == (folder, (f"{same}, not on this data set",))
    told = f"{same}, of other content or splits (data {rooms.fingerprint[:12]}): it may have seen these test queries"
    assert latest(replace(rooms, fingerprint="f" * 64)) == (folder, (told,))


def test_damaged_ones_are_named_and_skipped(rooms: Dataset) -> None:
    first, second, third = (trained(rooms, training={"weight": weight}) for weight in (2.0, 3.0, 4.0))
    (third / "weight.json").write_text("5.0")
    (second / "training_info.json").write_text("{")
    (home() / "checkpoints" / ".half.partial").mkdir()
    folder, notes = latest(rooms)
    assert folder == first
    assert notes == (
        f"checkpoint latest: {first.name} (trained on rooms, {when(first)})",
        f"checkpoint latest: skipped {second.name}, training_info.json cannot be read",
        f"checkpoint latest: skipped {third.name}, weight.json is not the file that was written",
    )
    shutil.rmtree(first)
    assert latest(rooms)[1][0] == "checkpoint latest: none found, pretrained weights"


# --- best, none, train, a folder


def test_best_is_the_best_dev_on_this_very_data_set(rooms: Dataset) -> None:
    trained(rooms, training={"weight": 2.0})
    trained(rooms, training={"weight": 3.0, "dev": 0.25})
    best = trained(rooms, training={"weight": 4.0, "dev": 0.75})
    trained(rooms, training={"weight": 5.0, "dev": 0.5})
    trained(replace(rooms, fingerprint="f" * 64), training={"weight": 6.0, "dev": 1.0})
    share = trained(rooms, training={"weight": 7.0, "dev": 0.9, "dev_ratio": 0.2})
    assert latest(rooms, "best", training={"dev_ratio": 0.2})[0] == share, "measured on another dev split"
    told = f"checkpoint best: {best.name} (dev nDCG@10 0.7500, trained on rooms, {when(best)})"
    assert latest(rooms, "best") == (best, (told,))
    nothing = (None, ("checkpoint best: none found, pretrained weights",))
    assert latest(replace(rooms, fingerprint="e" * 64), "best") == nothing
    with pytest.raises(RerankError, match="'toy' asks for the best checkpoint of a data set; name it with --dataset"):
        latest(None, "best")


@pytest.mark.parametrize(
    ("training", "recorded", "unnamed"),
    [
        ({"dev": 0.5, "metric": "listings nDCG@10"}, ("listings nDCG@10", 0.5), False),
        ({"dev": 0.5, "metric": "nDCG@10:valid-retrieval"}, ("nDCG@10:valid-retrieval", 0.5), False),
        ({"dev": 0.5, "metric": None}, (None, 0.5), True),
        ({}, (None, None), False),
    ],
)
def test_the_trainer_names_its_dev_metric_or_nobody_does(
    rooms: Dataset, training: dict[str, Any], recorded: tuple[str | None, float | None], unnamed: bool
) -> None:
    checkpoint = open_checkpoint(trained(rooms, training=training))
    assert (checkpoint.record["dev_metric"], checkpoint.record["best_dev"]) == recorded
    note = "the trainer does not name its dev metric: its best dev figure compares with none"
    assert (note in checkpoint.notes) == unnamed
    found, _ = latest(rooms, "best", training=training)
    assert found == (checkpoint.folder if recorded[0] else None)


def test_dev_figures_of_two_metrics_are_refused(rooms: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def train_by_two(self: Any, dataset: Dataset, out: Path, on_event: OnEvent) -> None:
        on_event(TrainingEvent(1, 2, dev=0.5, metric="MAP"))
        on_event(TrainingEvent(2, 2, dev=0.75, metric="nDCG@10"))

    monkeypatch.setattr(Trainer, "train", train_by_two)
    with pytest.raises(RerankError, match="two metrics, 'MAP' and 'nDCG@10'"):
        trained(rooms)


def test_best_compares_figures_of_one_metric(rooms: Dataset) -> None:
    by_map = trained(rooms, training={"weight": 2.0, "dev": 0.25, "metric": "MAP"})
    assert latest(rooms, "best")[0] == by_map, "one metric: there is nothing to mix up"
    by_ndcg = trained(rooms, training={"weight": 3.0, "dev": 0.75})
    assert latest(rooms, "best", training={"metric": "MAP", "told": True})[0] == by_map
    assert latest(rooms, "best", training={"told": True})[0] == by_ndcg
    assert latest(rooms, "best", training={"metric": "MRR@10", "told": True})[0] is None
    with pytest.raises(RerankError, match=r"selected by MAP and nDCG@10, which do not compare"):
        latest(rooms, "best")


def test_none_and_train_choose_nothing_and_a_folder_is_itself(rooms: Dataset, tmp_path: Path) -> None:
    folder = trained(rooms, out=tmp_path / "mine")
    assert latest(rooms, "none") == (None, ())
    assert latest(rooms, "train") == (None, ())
    assert latest(rooms, str(folder)) == (folder, ())
    assert latest(rooms, str(folder), settings={"size": 7}) == (
        folder,
        ("checkpoint mine was trained with size 1, here 7",),
    )
    seen = f"of other content or splits (data {rooms.fingerprint[:12]}): it may have seen these test queries"
    assert latest(replace(rooms, fingerprint="f" * 64), str(folder)) == (
        folder,
        (f"checkpoint mine was trained on rooms {seen}",),
    )
    assert latest(replace(rooms, name="halls", fingerprint="f" * 64), str(folder)) == (folder, ())
    assert entry_checkpoint(PLUGINS, entry("train"), rooms).folder not in (None, folder)
    with pytest.raises(RerankError, match="lastest: no checkpoint"):
        latest(rooms, "lastest")


def test_without_a_trainer_there_is_no_latest(rooms: Dataset) -> None:
    with pytest.raises(RerankError, match="'toy' has no trainer"):
        latest(rooms, trainer=None)


# --- in a bench, and where one name is loaded


def row(registry: Path, name: str) -> Row:
    (found,) = rr.bench([name], registry=registry).datasets[0].rows
    return found


def benched(registry: Path, *names: str, **entries: str) -> BenchResult:
    """A bench of these names in this registry, to which entries of the toy are added."""
    lines = [
        f"  {name}: {{scorer: toy, trainer: toy, checkpoint: {checkpoint}}}" for name, checkpoint in entries.items()
    ]
    text = registry.read_text(encoding="utf-8")
    registry.write_text(text + "\n".join([*lines, ""]), encoding="utf-8")
    plugins = Plugins([*installed_plugins().components, *PLUGINS.components])
    return rr.bench([*names, *entries], registry=registry, plugins=plugins)


@pytest.mark.parametrize("which", ["train", "latest", "best", "mine", "./mine/", "elsewhere/../mine"])
def test_a_row_names_its_checkpoint_and_what_it_was_trained_on(
    small_registry: Path, rooms: Dataset, tmp_path: Path, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    folder = trained(rooms, training={"weight": 2.0, "dev": 0.5})
    halls = replace(rooms, name="halls", fingerprint="f" * 64)
    named = trained(halls, out=tmp_path / "mine")
    result = benched(small_registry, "first-stage", "bm25", toy=which)
    first, bm25, toy = result.datasets[0].rows
    assert not toy.failure
    assert first.weights == bm25.weights == ()
    (weights,) = toy.weights
    if "mine" in which:
        folder, data = named, halls
    else:
        data = rooms
        if which == "train":  # of the entry's own training settings
            folder = home() / "checkpoints" / weights.checkpoint
    told = (weights.checkpoint, weights.fingerprint, weights.dataset, weights.data_fingerprint)
    assert told == (folder.name, open_checkpoint(folder).fingerprint(), data.name, data.fingerprint)
    shown = f"checkpoint {folder.name} ({told[1][:12]}), trained on {data.name}, data {data.fingerprint[:12]}"
    assert shown in cells(toy, result)[-1]
    (line,) = [row for row in csv.DictReader(io.StringIO(csv_text(result))) if row["reranker"] == "toy"]
    columns = ("checkpoint", "checkpoint_fingerprint", "trained_on", "trained_on_fingerprint")
    assert tuple(line[column] for column in columns) == told
    assert asdict(result)["datasets"][0]["rows"][2]["weights"] == (asdict(weights),)


UNNAMED = """
import rr

class Scorer:
    info = rr.ModelInfo(scale="rank", state="trained")
    def __init__(self, settings, checkpoint=None):
        self.sign = -1 if checkpoint else 1
    def score(self, requests):
        return [[float(self.sign * len(d.text)) for d in request.candidates] for request in requests]

class Trainer:
    def __init__(self, settings, scorer_settings): ...
    def train(self, dataset, out, on_event):
        (out / "weights.txt").write_text("-1")
        on_event(rr.TrainingEvent(1, 2, loss=1.0))
        on_event(rr.TrainingEvent(2, 2, loss=0.5))
        on_event(rr.TrainingEvent(2, 2, dev=0.5))

@rr.hookimpl
def rr_register_scorers():
    return [rr.Component("unnamed", "rr_unnamed:Scorer", "")]

@rr.hookimpl
def rr_register_trainers():
    return [rr.Component("unnamed", "rr_unnamed:Trainer", "")]
"""


def test_the_command_calls_an_unnamed_dev_figure_unnamed(rr_command: Rr, small_registry: Path, tmp_path: Path) -> None:
    metadata = tmp_path / "plugin" / "rr_unnamed-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata.parent / "rr_unnamed.py").write_text(UNNAMED, encoding="utf-8")
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: rr-unnamed\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text("[rr.plugins]\nunnamed = rr_unnamed\n", encoding="utf-8")
    text = small_registry.read_text(encoding="utf-8")
    small_registry.write_text(text + "  mine: {scorer: unnamed, trainer: unnamed}\n", encoding="utf-8")
    path = os.pathsep.join([str(metadata.parent), os.environ.get("PYTHONPATH", "")])
    ended = rr_command("train", "mine", "-d", "rooms", "--registry", small_registry, PYTHONPATH=path)
    assert ended.returncode == 0, ended.stderr
    assert "best dev (of a metric that the trainer does not name) 0.5000" in ended.stderr
    assert "best dev nDCG" not in ended.stderr


def test_a_row_without_a_checkpoint_names_none(small_registry: Path, rooms: Dataset) -> None:
    trained(rooms)
    _, toy = benched(small_registry, "first-stage", toy="none").datasets[0].rows
    assert (toy.weights, toy.failure) == ((), "")


def test_a_newer_checkpoint_is_scored_anew(trainable_registry: Path) -> None:  # noqa: F811
    """The real head: pretrained and untrained first, then as it was trained last."""
    text = trainable_registry.read_text(encoding="utf-8")
    latest_head = "  newest: {scorer: head, trainer: head, checkpoint: latest, settings: *small}\n"
    trainable_registry.write_text(text + latest_head, encoding="utf-8")
    before = row(trainable_registry, "newest")
    assert before.state == "untrained"
    assert "checkpoint latest: none found, pretrained weights" in before.notes
    with pytest.raises(RerankError, match="'newest' is untrained"):
        rr.load("newest", registry=trainable_registry)

    registry = load_registry(trainable_registry)
    data = load_dataset("rooms", registry.dataset("rooms"))
    plugins = installed_plugins()
    folders = []
    for rate in (0.01, 0.02):
        changed = registry.reranker("head").overridden({"training": {"epochs": 1, "lr": rate}}, "test")
        folders.append(train(plugins, resolve(plugins, "head", changed), data).folder)
        found, again = (row(trainable_registry, "newest") for _ in range(2))
        assert found.state == "trained"
        assert not found.scores_from_store
        assert again.scores_from_store
        assert found.notes[-1] == again.notes[-1]
        assert found.notes[-1].startswith(f"checkpoint latest: {folders[-1].name} (trained on rooms, ")
    assert folders[0] != folders[1]
    assert rr.load("newest", registry=trainable_registry).checkpoint == open_checkpoint(folders[1])
    for checkpoint in ("latest", folders[1], str(folders[1])):
        loaded = rr.load("head", checkpoint=checkpoint, registry=trainable_registry)
        assert loaded.checkpoint == open_checkpoint(folders[1])


def test_the_command_says_which_was_taken(rr_command: Rr, trainable_registry: Path) -> None:  # noqa: F811
    common = ("--registry", trainable_registry)
    ask = ("rerank", "head", "--checkpoint", "latest", "-q", "chợ", "phòng gần chợ", "x", *common)
    refused = rr_command(*ask)
    assert refused.returncode == 2
    assert refused.stderr.startswith(
        "head: checkpoint latest: none found, pretrained weights\nerror: 'head' is untrain"
    )
    folder = Path(rr_command("train", "head", "-d", "rooms", "--epochs", "1", *common).stdout.strip())
    ended = rr_command(*ask)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == f"head: checkpoint latest: {folder.name} (trained on rooms, {when(folder)})\n"
    assert len(ended.stdout.splitlines()) == 2
