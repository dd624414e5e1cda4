"""checkpoint-N/: the models of the last saves, in a training that ends and in one that is broken off."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import CrossEncoder

from rr import Dataset, RerankError
from rr.errors import PluginError
from rr.files import file_sha256, files_below
from rr.registry.plugins import installed_plugins
from rr_bench.progress import Progress
from rr_bench.resolve import Resolved, resolve
from rr_bench.schema import RerankerEntry
from rr_bench.train.checkpoints import open_checkpoint
from rr_bench.train.training import train
from rr_cross_encoder.scorer import CrossEncoderScorer
from rr_cross_encoder.settings import CrossEncoderSettings, CrossEncoderTraining
from rr_cross_encoder.trainer import CrossEncoderTrainer
from tests.plugins.training import Observed, observe, values

Bert = Callable[..., Path]

SHORT = {"max_steps": 7, "batch_size": 16, "lr": 5e-3, "num_hard_negatives": 2, "eval_steps": 1, "save_steps": 2}
WEIGHTS = "model.safetensors"


def trained(folder: Path, dataset: Dataset, out: Path, **options: Any) -> Observed:
    settings = CrossEncoderSettings(model=str(folder), max_seq_length=64)
    return observe(CrossEncoderTrainer(CrossEncoderTraining(**{**SHORT, **options}), settings), dataset, out)


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("checkpoint-*"))


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): file_sha256(path) for path in files_below(folder)}


@pytest.fixture(scope="module")
def all_kept(bert: Bert, learnable: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Observed:
    return trained(bert(1), learnable, tmp_path_factory.mktemp("all") / "out", save_total_limit=9)


def test_each_is_the_model_of_its_step_whole(bert: Bert, learnable: Dataset, all_kept: Observed) -> None:
    assert kept(all_kept.folder) == ["checkpoint-2", "checkpoint-4", "checkpoint-6"]
    requests = learnable.requests("dev")
    for step in (2, 4, 6):
        folder = all_kept.folder / f"checkpoint-{step}"
        scorer = CrossEncoderScorer(CrossEncoderSettings(model=str(folder), max_seq_length=64))
        assert scorer.info.state == "pretrained"
        for ours, then in zip(values(scorer.score(requests)), all_kept.answers[step - 1], strict=True):
            assert list(ours) == pytest.approx(list(then), abs=1e-5)
        served = CrossEncoder(str(folder), device="cpu", activation_fn=torch.nn.Identity())
        pairs = [(requests[0].query.text, document.content) for document in requests[0].candidates]
        assert served.predict(pairs).tolist() == pytest.approx(list(all_kept.answers[step - 1][0]), abs=1e-5)


def test_the_training_is_the_same_with_them_and_without(
    bert: Bert, learnable: Dataset, all_kept: Observed, tmp_path: Path
) -> None:
    without = trained(bert(1), learnable, tmp_path / "out")
    assert kept(without.folder) == []
    assert without.events == all_kept.events
    for name in (WEIGHTS, "config.json", "tokenizer.json", "tokenizer_config.json", "dev_metrics.json"):
        assert (without.folder / name).read_bytes() == (all_kept.folder / name).read_bytes(), name


@pytest.mark.parametrize(("limit", "names"), [(1, ["checkpoint-6"]), (2, ["checkpoint-4", "checkpoint-6"])])
def test_the_newest_are_kept(
    bert: Bert, learnable: Dataset, all_kept: Observed, tmp_path: Path, limit: int, names: list[str]
) -> None:
    done = trained(bert(1), learnable, tmp_path / "out", save_total_limit=limit)
    assert kept(done.folder) == names
    for name in names:
        assert contents(done.folder / name) == contents(all_kept.folder / name)


def test_the_newest_is_by_number(bert: Bert, learnable: Dataset, tmp_path: Path) -> None:
    done = trained(bert(1), learnable, tmp_path / "out", save_total_limit=2, save_steps=3, max_steps=13, eval_steps=6)
    assert kept(done.folder) == ["checkpoint-12", "checkpoint-9"]


def test_a_training_that_ends_before_its_first_save_says_so(bert: Bert, learnable: Dataset, tmp_path: Path) -> None:
    for limit, said in ((2, True), (None, False)):
        done = trained(bert(1), learnable, tmp_path / str(limit), save_total_limit=limit, save_steps=7, eval_steps=7)
        assert kept(done.folder) == []
        notes = json.loads((done.folder / "dev_metrics.json").read_text(encoding="utf-8"))["notes"]
        assert any("lower save_steps" in note for note in notes) == said


def test_they_are_copied_where_there_are_no_links(
    bert: Bert, learnable: Dataset, all_kept: Observed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_link(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_link)
    done = trained(bert(1), learnable, tmp_path / "out", save_total_limit=1)
    assert contents(done.folder / "checkpoint-6") == contents(all_kept.folder / "checkpoint-6")


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_is_a_number_of_folders(limit: int) -> None:
    with pytest.raises(ValueError, match="save_total_limit"):
        CrossEncoderTraining(save_total_limit=limit)


# in the workplace of `rr train`


class Crash(Progress):
    """Ends a training after so many of its steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    @contextmanager
    def task(self, description: str, total: int | None) -> Iterator[Callable[[int], None]]:
        def advance(units: int) -> None:
            self.left -= units
            if not self.left:
                raise OSError

        yield advance


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def entry(model: Path, **options: Any) -> Resolved:
    training = {**SHORT, "save_total_limit": 2, **options}
    settings = {"model": str(model), "max_seq_length": 64}
    asked = RerankerEntry(scorer="cross_encoder", trainer="cross_encoder", settings=settings, training=training)
    return resolve(installed_plugins(), "ranker", asked)


def test_those_up_to_the_state_outlive_a_crash_and_the_end_is_the_same(
    bert: Bert, learnable: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved = entry(bert(1))
    whole, out, partial = tmp_path / "whole", tmp_path / "killed", tmp_path / ".killed.partial"
    train(installed_plugins(), resolved, learnable, whole)
    # the second sitting is told the steps up to state 4 again, and then goes on
    for steps, there in ((5, ["checkpoint-2", "checkpoint-4"]), (7, ["checkpoint-4", "checkpoint-6"])):
        with pytest.raises(PluginError, match="broke"):
            train(installed_plugins(), resolved, learnable, out, Crash(steps))
        assert kept(partial / "state") == there
        assert not out.exists()
    half = partial / "state" / "checkpoint-6" / WEIGHTS  # written before a state that never came, and not wholly
    half.write_bytes(half.read_bytes()[:100])
    (partial / "state" / "state-000000006.safetensors").unlink()
    with monkeypatch.context() as patch:  # trained, and not yet published
        patch.setattr("rr_bench.train.training.tried", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(installed_plugins(), resolved, learnable, out)
    assert kept(partial) == ["checkpoint-4", "checkpoint-6"]
    checkpoint = train(installed_plugins(), resolved, learnable, out)
    assert kept(out) == kept(whole) == ["checkpoint-4", "checkpoint-6"]
    ours, theirs = contents(out), contents(whole)
    assert {name for name in theirs if ours.get(name) != theirs[name]} == {
        "training_info.json",
        "events.jsonl",
    }  # they tell the seconds
    assert ours.keys() == theirs.keys()
    assert {f"checkpoint-{step}/{WEIGHTS}" for step in (4, 6)} < set(checkpoint.record["files"])


def test_what_is_damaged_in_one_is_named(bert: Bert, learnable: Dataset, tmp_path: Path) -> None:
    folder = train(installed_plugins(), entry(bert(1), max_steps=3), learnable, tmp_path / "out").folder
    file = folder / "checkpoint-2" / WEIGHTS
    before = file.read_bytes()
    file.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    with pytest.raises(RerankError, match=r"checkpoint-2/model\.safetensors is not the file that was written"):
        open_checkpoint(folder)
    file.unlink()
    with pytest.raises(RerankError, match=r"checkpoint-2/model\.safetensors is missing"):
        open_checkpoint(folder)
    file.write_bytes(before)
    assert open_checkpoint(folder).folder == folder


@pytest.mark.parametrize("part", ["", "checkpoint-2"])
def test_a_training_starts_from_one(bert: Bert, learnable: Dataset, tmp_path: Path, part: str) -> None:
    """And from the checkpoint around it."""
    base = train(installed_plugins(), entry(bert(1), max_steps=3), learnable, tmp_path / "base").folder / part
    started = entry(base, max_steps=1, lr=1e-9, weight_decay=0.0)
    folder = train(installed_plugins(), started, learnable, tmp_path / "out").folder
    before, after = load_file(base / WEIGHTS), load_file(folder / WEIGHTS)
    assert before.keys() == after.keys()
    assert all(torch.allclose(after[name], before[name], atol=1e-6) for name in before)
    assert not torch.allclose(after["classifier.weight"], load_file(bert(1) / WEIGHTS)["classifier.weight"], atol=1e-4)
