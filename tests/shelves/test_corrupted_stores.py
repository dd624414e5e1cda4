"""Everything that is kept in $RR_HOME, damaged in every way: the figure that comes out is that of a clean run, the file
is named, and nothing else is lost."""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from rr import Component, Dataset, ModelInfo, OnEvent, Request, RerankError, Settings, TrainingEvent
from rr.files import DamagedError, home, is_sealed, sealed_folder
from rr.files.kept import read_json, with_checksum
from rr.registry.plugins import Plugins, Registered
from rr.rerank.sort import Sort
from rr.types import Document, Query
from rr_bench.data.load import load_dataset, load_folds
from rr_bench.evaluate.store import score
from rr_bench.parts import PART_PAIRS
from rr_bench.progress import SILENT
from rr_bench.registry import load_registry
from rr_bench.resolve import resolve
from rr_bench.schema import RerankerEntry
from rr_bench.stream.lookup import Lookup
from rr_bench.stream.partial import partial
from rr_bench.train.checkpoints import chosen_checkpoint
from rr_bench.train.training import train
from rr_bench.train.workplace import workplace
from rr_torch import embeddings
from rr_torch.best import Kept
from rr_torch.embeddings import EmbeddingStore
from rr_torch.states import newest_state, save_state

pytestmark = pytest.mark.attack("corrupted store")

Damage = Callable[[Path], object]


def replaced(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


def flipped(path: Path, share: float) -> None:
    data = bytearray(path.read_bytes())
    data[int(len(data) * share)] ^= 1
    path.write_bytes(bytes(data))


def nul_tail(path: Path) -> None:
    size = path.stat().st_size
    os.truncate(path, size // 2)
    os.truncate(path, size)


def linked(path: Path) -> None:
    """To a file of the same bytes, which is not ours to read or write."""
    shutil.move(path, path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def filled(path: Path) -> None:
    path.mkdir()
    (path / "inside").write_text("x")


DAMAGES: dict[str, Damage] = {
    "truncated": lambda path: os.truncate(path, path.stat().st_size - 3),
    "empty": lambda path: os.truncate(path, 0),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "a tail of zeros": nul_tail,
    "a bit at the start": lambda path: flipped(path, 0.01),
    "a bit in the middle": lambda path: flipped(path, 0.5),
    "a bit at the end": lambda path: flipped(path, 0.99),
    "garbage": lambda path: path.write_bytes(random.Random(1).randbytes(path.stat().st_size)),
    "foreign JSON": lambda path: path.write_text('{"a": [1, 2]}'),
    "another type": lambda path: path.write_text("3"),
    "deeply nested": lambda path: path.write_text("[" * 100_000),
    "a folder": lambda path: replaced(path, filled),
    "a link to nothing": lambda path: replaced(path, lambda p: p.symlink_to(p.with_name("nothing"))),
    "a named pipe": lambda path: replaced(path, os.mkfifo),
}
every_damage = pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)


@pytest.fixture(autouse=True)
def _warnings(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "rr")


def named(caplog: pytest.LogCaptureFixture, *names: str) -> None:
    """What is damaged was told, once."""
    told = [message for message in caplog.messages if "is damaged" in message]
    assert len(told) == len(names), caplog.messages
    for name in names:
        assert any(name in message for message in told), told
    assert not any("\n" in message for message in told)


# scores


class Light:
    """A scorer whose scores differ by query and document. `asked`: the queries that it was asked for."""

    info = ModelInfo("logit", notes=("ghi chú",))

    def __init__(self) -> None:
        self.asked: list[str] = []

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        self.asked += [request.query.id for request in requests]
        return [[hash_of(request.query.id + document.id) for document in request.candidates] for request in requests]


def hash_of(text: str) -> float:
    return random.Random(text).random()


DOCUMENTS = tuple(Document(f"d{n}", f"text {n}") for n in range(PART_PAIRS // 2))
REQUESTS = [Request(Query(f"q{n}", f"query {n}"), DOCUMENTS) for n in range(6)]


def scored(key: str = "key") -> tuple[dict[str, dict[str, float]], list[str]]:
    light = Light()
    found = score(lambda: Sort(light), key, REQUESTS, lambda done: None)
    assert found.info == Light.info
    return {query: dict(answer.scores) for query, answer in found.answers.items()}, light.asked


@pytest.fixture
def parts() -> list[Path]:
    scored()
    return sorted(home().glob("scores/*/part-*.json"))


CLEAN = {request.query.id: {d.id: hash_of(request.query.id + d.id) for d in DOCUMENTS} for request in REQUESTS}


def parts_are_right(caplog: pytest.LogCaptureFixture, *damaged: int) -> None:
    answers, asked = scored()
    assert answers == CLEAN
    assert set(asked) == {f"q{2 * part + n}" for part in damaged for n in (0, 1)}, "the other parts stand"
    named(caplog, *(f"part-{part:05d}.json" for part in damaged))
    caplog.clear()
    assert scored() == (CLEAN, []), "and now it is whole"
    assert not caplog.messages


@every_damage
def test_a_part_of_the_scores(parts: list[Path], damage: Damage, caplog: pytest.LogCaptureFixture) -> None:
    damage(parts[1])
    parts_are_right(caplog, 1)


def reversed_scores(content: dict[str, Any]) -> None:
    for row in content["queries"].values():
        row["scores"] = dict(zip(row["scores"], reversed(row["scores"].values()), strict=True))


def swapped_queries(content: dict[str, Any]) -> None:
    first, second = content["queries"]
    content["queries"] = {first: content["queries"][second], second: content["queries"][first]}


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "reversed scores": reversed_scores,
    "swapped queries": swapped_queries,
    "a query less": lambda content: content["queries"].popitem(),
    "a document less": lambda content: next(iter(content["queries"].values()))["scores"].popitem(),
    "a text for a score": lambda content: next(iter(content["queries"].values()))["scores"].update(d0="0.5"),
    "no state": lambda content: content.pop("info"),
    "null for all": lambda content: content.clear(),
    "another state": lambda content: content["info"].update(state="trained"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_part_of_the_scores(
    parts: list[Path], change: Callable[[dict[str, Any]], object], caplog: pytest.LogCaptureFixture
) -> None:
    whole = json.loads(parts[2].read_text(encoding="utf-8"))
    change(whole["content"])
    parts[2].write_text(json.dumps(whole), encoding="utf-8")
    parts_are_right(caplog, 2)


def test_parts_in_each_others_place(parts: list[Path], caplog: pytest.LogCaptureFixture) -> None:
    first, second = (path.read_bytes() for path in parts[:2])
    parts[0].write_bytes(second)
    parts[1].write_bytes(first)
    parts_are_right(caplog, 0, 1)


def test_a_part_of_other_scores(parts: list[Path], caplog: pytest.LogCaptureFixture) -> None:
    scored("other key")
    (other,) = {path.parent for path in home().glob("scores/*/part-*.json")} - {parts[0].parent}
    shutil.copy(other / parts[0].name, parts[0])
    parts_are_right(caplog, 0)


def test_a_file_for_the_folder_of_the_scores(parts: list[Path], caplog: pytest.LogCaptureFixture) -> None:
    shutil.rmtree(parts[0].parent)
    parts[0].parent.write_text("x")
    assert scored()[0] == CLEAN
    named(caplog, parts[0].parent.name)


# data sets


@pytest.mark.parametrize("file", ["dataset.json", "documents.jsonl", "queries.jsonl", "sha256.json"])
@every_damage
def test_a_data_set(small_registry: Path, file: str, damage: Damage, caplog: pytest.LogCaptureFixture) -> None:
    entry = load_registry(small_registry).dataset("rooms")
    clean = load_dataset("rooms", entry)
    (folder,) = (home() / "data").iterdir()
    damage(folder / file)
    found = load_dataset("rooms", entry)
    assert (found, found.documents, found.notes) == (clean, clean.documents, clean.notes)
    named(caplog, str(folder))
    caplog.clear()
    assert load_dataset("rooms", entry) == clean
    assert not caplog.messages


def other_note(folder: Path) -> None:
    text = (folder / "dataset.json").read_text(encoding="utf-8")
    (folder / "dataset.json").write_text(text.replace('"notes": [', '"notes": ["all is well", '), encoding="utf-8")
    assert text != (folder / "dataset.json").read_text(encoding="utf-8")


FOLDERS: dict[str, Damage] = {
    "a file less": lambda folder: (folder / "queries.jsonl").unlink(),
    "a file more": lambda folder: (folder / "more.jsonl").write_text("{}\n"),
    "a note that no fingerprint covers": other_note,
    "a file in its place": lambda folder: (shutil.rmtree(folder), folder.write_text("x")),
    "a link in its place": lambda folder: (folder.rename(folder.parent / "x"), folder.symlink_to(folder.parent / "x")),
    "an empty folder": lambda folder: (shutil.rmtree(folder), folder.mkdir()),
}


@pytest.mark.parametrize("damage", FOLDERS.values(), ids=FOLDERS)
def test_the_folder_of_a_data_set(small_registry: Path, damage: Damage, caplog: pytest.LogCaptureFixture) -> None:
    entry = load_registry(small_registry).dataset("rooms")
    clean = load_dataset("rooms", entry)
    (folder,) = (home() / "data").iterdir()
    damage(folder)
    found = load_dataset("rooms", entry)
    assert (found, found.notes) == (clean, clean.notes)
    named(caplog, str(folder))


def test_folds_in_each_others_place(small_registry: Path, caplog: pytest.LogCaptureFixture) -> None:
    entry = load_registry(small_registry).dataset("rooms")
    clean = load_folds("rooms", entry, 3)
    first, second, third = sorted((home() / "data").iterdir())
    first.rename(first.with_name("between"))
    second.rename(first)
    first.with_name("between").rename(second)
    assert load_folds("rooms", entry, 3) == clean
    named(caplog, first.name, second.name)
    assert third.is_dir()


# checkpoints


class Scorer:
    """Scores by what its trainer wrote."""

    info = ModelInfo("logit")

    def __init__(self, settings: Settings, checkpoint: Path | None = None) -> None:
        self._weight = json.loads((checkpoint / "weight.json").read_text())["weight"] if checkpoint else 0.5

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        return [[self._weight * len(document.text) for document in r.candidates] for r in requests]


class Trainer:
    class Settings(Settings):
        weight: float = 2.0

        def selects_by(self) -> str:
            return "length"

    trained: list[float] = []  # noqa: RUF012 - what was trained in this process

    def __init__(self, settings: Any, scorer_settings: Settings) -> None:
        self._weight = settings.weight

    def train(self, dataset: Dataset, out: Path, on_event: OnEvent) -> None:
        on_event(TrainingEvent(1, 1, loss=1.0))
        on_event(TrainingEvent(1, 1, dev=0.5, metric="length"))
        (out / "weight.json").write_text(json.dumps({"weight": self._weight, "padding": "x" * 50}))
        Trainer.trained.append(self._weight)


PLUGINS = Plugins(
    [
        Registered(Component("toy", f"{__name__}:Scorer", ""), "scorer", "toy", "toy", "1"),
        Registered(Component("toy", f"{__name__}:Trainer", ""), "trainer", "toy", "toy", "1"),
    ]
)


@dataclass
class Trained:
    """Checkpoints of three weights; the third is the newest."""

    data: Dataset
    folders: list[Path] = field(default_factory=list)

    def again(self, weight: float) -> Path:
        entry = RerankerEntry(scorer="toy", trainer="toy", training={"weight": weight})
        return train(PLUGINS, resolve(PLUGINS, "toy", entry), self.data).folder

    def chosen(self, which: str) -> tuple[Path | None, tuple[str, ...]]:
        choice = chosen_checkpoint(
            PLUGINS, resolve(PLUGINS, "toy", RerankerEntry(scorer="toy", trainer="toy", checkpoint=which)), self.data
        )
        return choice.folder, choice.remarks


@pytest.fixture
def trained(small_registry: Path) -> Trained:
    found = Trained(load_dataset("rooms", load_registry(small_registry).dataset("rooms")))
    found.folders = [found.again(weight) for weight in (1.0, 2.0, 3.0)]
    Trainer.trained.clear()
    return found


@pytest.mark.parametrize("file", ["weight.json", "training_info.json", "events.jsonl"])
@every_damage
def test_a_checkpoint(trained: Trained, file: str, damage: Damage, caplog: pytest.LogCaptureFixture) -> None:
    newest = trained.folders[2]
    whole = (newest / "weight.json").read_bytes()
    damage(newest / file)
    folder, remarks = trained.chosen("latest")
    assert folder == trained.folders[1], "the others can still be chosen"
    assert any(f"skipped {newest.name}" in remark for remark in remarks)
    caplog.clear()
    assert trained.again(3.0) == newest
    assert Trainer.trained == [3.0]
    assert (newest / "weight.json").read_bytes() == whole
    named(caplog, str(newest))
    assert trained.chosen("latest")[0] == newest
    trained.again(1.0)
    assert Trainer.trained == [3.0]


def with_record(folder: Path, sealed: bool, **values: Any) -> None:
    path = folder / "training_info.json"
    record = {**read_json(path), **values}
    path.write_text(json.dumps(with_checksum(record) if sealed else {**record, "sha256": "0" * 64}))


RECORDS: dict[str, dict[str, Any]] = {
    "data null": {"data": None},
    "data of nothing": {"data": {}},
    "finished a number": {"finished": 3},
    "files a list": {"files": ["weight.json"]},
    "seconds a text": {"seconds": "3"},
    "notes null": {"notes": None},
}


@pytest.mark.parametrize("values", RECORDS.values(), ids=RECORDS)
@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("which", ["latest", "best"])
def test_a_record_of_other_types(trained: Trained, values: dict[str, Any], sealed: bool, which: str) -> None:
    with_record(trained.folders[2], sealed, **values)
    folder, remarks = trained.chosen(which)
    assert folder == trained.folders[1]
    assert any("training_info.json cannot be read" in remark for remark in remarks)


def test_checkpoints_in_each_others_place(trained: Trained, caplog: pytest.LogCaptureFixture) -> None:
    first, second = trained.folders[:2]
    first.rename(first.with_name("between"))
    second.rename(first)
    first.with_name("between").rename(second)
    for folder, weight in ((first, 1.0), (second, 2.0)):
        trained.again(weight)
        assert json.loads((folder / "weight.json").read_text())["weight"] == weight
    named(caplog, first.name, second.name)


def test_a_checkpoint_that_is_named_is_refused_and_stays(trained: Trained, tmp_path: Path) -> None:
    mine = shutil.copytree(trained.folders[0], tmp_path / "mine")
    flipped(mine / "weight.json", 0.5)
    before = sorted(mine.iterdir())
    with pytest.raises(RerankError, match=r"mine: damaged checkpoint, weight\.json is not the file that was written"):
        trained.chosen(str(mine))
    assert sorted(mine.iterdir()) == before


def test_a_file_put_beside_the_weights_makes_another_checkpoint(trained: Trained) -> None:
    def fingerprint() -> str:
        entry = RerankerEntry(scorer="toy", trainer="toy", training={"weight": 1.0})
        return train(PLUGINS, resolve(PLUGINS, "toy", entry), trained.data).fingerprint()

    before = fingerprint()
    (trained.folders[0] / "adapter_config.json").write_text("{}")
    assert fingerprint() != before


# interrupted trainings


@every_damage
def test_the_notes_of_an_interrupted_training(tmp_path: Path, damage: Damage, caplog: pytest.LogCaptureFixture) -> None:
    def interrupted() -> None:
        with workplace(tmp_path / "out", "key") as work:
            assert work is not None
            (work.folder / "state").mkdir()
            (work.folder / "state" / "kept").write_text("kept")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    damage(tmp_path / ".out.partial" / "workplace.json")
    with workplace(tmp_path / "out", "key") as work:
        assert work is not None
        assert not (work.folder / "state").exists(), "whose it is, nothing tells"
        work.write("whole", "whole")
        work.publish()
    named(caplog, "workplace.json")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["whole"]


def save(folder: Path, step: int, value: float) -> Path:
    save_state(folder, step, {"weight": torch.full((2, 3), value), "none": torch.zeros(0)}, {"step": step})
    return folder / f"state-{step:09d}.safetensors"


@every_damage
def test_the_state_of_a_training(tmp_path: Path, damage: Damage, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / ".out.partial" / "state"
    folder.parent.mkdir()
    save(folder, 1, 1.0)
    damage(save(folder, 2, 2.0))
    tensors, facts = newest_state(folder) or pytest.fail("no state")
    assert (tensors["weight"].tolist(), facts) == ([[1.0] * 3] * 2, {"step": 1})
    named(caplog, "state-000000002.safetensors")


@every_damage
def test_the_best_weights_of_a_training(tmp_path: Path, damage: Damage, caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept(tmp_path / ".out.partial" / "state")
    kept.folder.parent.mkdir()
    kept.keep(1, {"weight": torch.full((2, 3), 1.0), "none": torch.zeros(0)})
    kept.check()
    damage(kept.folder / "best-000000001.safetensors")
    with pytest.raises(DamagedError, match=r"its best weights, best-000000001\.safetensors, are"):
        kept.check()
    named(caplog, "best-000000001.safetensors")
    kept.keep(1, {"weight": torch.full((2, 3), 2.0)})  # there is room for them again
    assert kept.weights()["weight"].tolist() == [[2.0] * 3] * 2


def resaved(path: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    """With the checksum of what was there, as one writes who does not know of it."""
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    save_file(change(tensors), path, metadata)


TENSORS: dict[str, Callable[[dict[str, Tensor]], dict[str, Tensor]]] = {
    "negated": lambda tensors: {**tensors, "vectors": -tensors["vectors"]},
    "permuted vectors": lambda tensors: {**tensors, "vectors": tensors["vectors"].flip(0).contiguous()},
    "permuted keys": lambda tensors: {**tensors, "keys": tensors["keys"].flip(0).contiguous()},
    "a row less": lambda tensors: {name: tensor[1:].contiguous() for name, tensor in tensors.items()},
    "other keys": lambda tensors: {**tensors, "keys": tensors["keys"] ^ 1},
    "half precision": lambda tensors: {**tensors, "vectors": tensors["vectors"].half()},
    "no keys": lambda tensors: {"vectors": tensors["vectors"]},
}


def test_states_in_each_others_place(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folders = [tmp_path / f".{name}.partial" / "state" for name in "ab"]
    for folder in folders:
        folder.parent.mkdir()
        save(folder, 1, 1.0)
    shutil.copy(save(folders[1], 2, 2.0), folders[0])
    tensors, _ = newest_state(folders[0]) or pytest.fail("no state")
    assert tensors["weight"].tolist() == [[1.0] * 3] * 2
    named(caplog, "state-000000002.safetensors")


# vectors

TEXTS = ["một", "hai", "ba", "bốn"]


class Encoder:
    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, texts: list[str]) -> Tensor:
        self.seen += texts
        return torch.tensor([[hash_of(f"{text} {place}") for place in range(5)] for text in texts])


VECTORS = Encoder()(TEXTS)


@pytest.fixture
def shards(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    monkeypatch.setattr(embeddings, "SHARD_CHARACTERS", 2 * (embeddings.PER_TEXT + 3))  # two texts a shard
    folder = home() / "embeddings" / "encoder"
    EmbeddingStore(folder, 5).vectors(TEXTS, Encoder())
    found = sorted(folder.glob("*.safetensors"))
    assert len(found) == 2
    return found


def vectors_are_right(shards: list[Path], caplog: pytest.LogCaptureFixture) -> None:
    encoder = Encoder()
    assert torch.equal(EmbeddingStore(shards[0].parent, 5).vectors(TEXTS, encoder), VECTORS)
    assert len(encoder.seen) == 2, "the other shard stands"
    named(caplog, shards[0].name)
    caplog.clear()
    assert torch.equal(EmbeddingStore(shards[0].parent, 5).vectors(TEXTS, Encoder()), VECTORS)
    assert not caplog.messages


@every_damage
def test_a_shard_of_vectors(shards: list[Path], damage: Damage, caplog: pytest.LogCaptureFixture) -> None:
    damage(shards[0])
    vectors_are_right(shards, caplog)


@pytest.mark.parametrize("change", TENSORS.values(), ids=TENSORS)
def test_a_changed_shard_of_vectors(
    shards: list[Path], change: Callable[[dict[str, Tensor]], dict[str, Tensor]], caplog: pytest.LogCaptureFixture
) -> None:
    resaved(shards[0], change)
    vectors_are_right(shards, caplog)


def test_a_shard_of_another_encoder(shards: list[Path], caplog: pytest.LogCaptureFixture) -> None:
    other = home() / "embeddings" / "other"
    EmbeddingStore(other, 5).vectors(TEXTS[:2], lambda texts: -Encoder()(texts))
    (foreign,) = other.glob("*.safetensors")
    shutil.copy(foreign, shards[0])
    vectors_are_right(shards, caplog)


# indexes


def looked_up(path: Path) -> dict[str, str]:
    with closing(Lookup(path, "document", SILENT)) as found:
        return {f"d{n}": found.document(f"d{n}").text for n in range(50)}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps({"_id": f"d{n}", "text": f"text of {n}"}) + "\n" for n in range(50)))
    return path


TEXT_OF = {f"d{n}": f"text of {n}" for n in range(50)}


def index() -> Path:
    (found,) = home().glob("indexes/[!.]*/places.sqlite")
    return found


def index_is_right(corpus: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert looked_up(corpus) == TEXT_OF
    named(caplog, index().parent.name)
    caplog.clear()
    assert looked_up(corpus) == TEXT_OF
    assert not caplog.messages


@every_damage
def test_an_index(corpus: Path, damage: Damage, caplog: pytest.LogCaptureFixture) -> None:
    assert looked_up(corpus) == TEXT_OF
    damage(index())
    index_is_right(corpus, caplog)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE places SET offset = 0, line = 1",
        "DELETE FROM places WHERE id = 'd7'",
        "DROP TABLE places",
        "UPDATE places SET offset = -1",
    ],
    ids=["another document's place", "a row less", "no table", "no place"],
)
def test_a_changed_index(corpus: Path, change: str, caplog: pytest.LogCaptureFixture) -> None:
    looked_up(corpus)
    with closing(sqlite3.connect(index(), isolation_level=None)) as connection:
        connection.execute(change)
    index_is_right(corpus, caplog)


def test_the_index_of_another_file(corpus: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    looked_up(corpus)
    mine = index().parent
    other = tmp_path / "other.jsonl"
    other.write_text("".join(json.dumps({"_id": f"d{49 - n}", "text": "x" * n}) + "\n" for n in range(50)))
    looked_up(other)
    (theirs,) = {path.parent for path in home().glob("indexes/[!.]*/places.sqlite")} - {mine}
    shutil.rmtree(mine)
    theirs.rename(mine)
    index_is_right(corpus, caplog)


# exports, and whatever else is a folder with its checksums


@every_damage
def test_a_sealed_folder(damage: Damage, caplog: pytest.LogCaptureFixture) -> None:
    folder = home() / "exports" / "model"
    with sealed_folder(folder, "key") as work:
        (work / "model.onnx").write_bytes(bytes(range(200)))
        (work / "deeper").mkdir()
        (work / "deeper" / "weights").write_bytes(bytes(range(100)))
    assert is_sealed(folder, "key")
    damage(folder / "deeper" / "weights")
    assert not is_sealed(folder, "key")
    named(caplog, str(folder))
    assert not folder.exists()


# partial files


def interrupted(out: Path) -> Path:
    def work_until() -> None:
        with partial(out, "key") as work:
            work.append("một\n" * 20, 2)
            work.append("hai\n" * 20, 3)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work_until()
    return out.with_name(f".{out.name}.partial")


WHOLE = "một\n" * 20 + "hai\n" * 20 + "ba\n"
LEFT_ALONE = {"a folder", "a link to nothing", "a named pipe"}


@pytest.mark.parametrize("name", sorted(set(DAMAGES) - LEFT_ALONE))
@pytest.mark.parametrize("file", ["content", "partial.json"])
def test_a_partial_file(tmp_path: Path, file: str, name: str, caplog: pytest.LogCaptureFixture) -> None:
    out = tmp_path / "run"
    DAMAGES[name](interrupted(out) / file)
    with partial(out, "key") as work:
        assert work.done == 0, "nothing of it can be relied on"
        work.append(WHOLE, 6)
        work.publish()
    assert out.read_text(encoding="utf-8") == WHOLE
    named(caplog, file)
    assert sorted(path.name for path in tmp_path.iterdir() if "partial" in path.name) == []


@pytest.mark.parametrize("name", sorted(LEFT_ALONE))
def test_what_lies_in_place_of_a_partial_file_is_left_alone(tmp_path: Path, name: str) -> None:
    out = tmp_path / "run"
    DAMAGES[name](interrupted(out) / "content")
    with pytest.raises(RerankError, match=r"content.*; remove it, or name another --out") as error, partial(out, "key"):
        pytest.fail("was let in")
    assert "\n" not in str(error.value)
    assert os.path.lexists(tmp_path / ".run.partial" / "content")


def test_a_file_that_is_changed_while_it_is_written_is_not_published(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with partial(out, "key") as work:
        work.append("một\n", 1)
        (work.folder / "content").write_text("hai\n")
        with pytest.raises(RerankError, match=r"content was changed while it was written; run the same command again"):
            work.publish()
    assert not out.exists()
    with partial(out, "key") as work:
        assert work.done == 0
