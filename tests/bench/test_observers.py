"""Observers of a training, with their real packages where they are installed; nothing of them leaves this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from rr import TrainingEvent
from rr.errors import RerankError
from rr_bench.train import observers as module
from rr_bench.train.observers import observers

EVENTS = [
    TrainingEvent(0, 2, dev=0.25, metric="nDCG@10", figures={"probe_train chance": 2.5}),
    TrainingEvent(1, 2, loss=2.0, figures={"lr": 1e-4}),
    TrainingEvent(2, 2, loss=float("nan"), dev=0.5, metric="nDCG@10"),
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    return tmp_path


def tell(name: str) -> None:
    with observers([name], "try-1") as listeners:
        for event in EVENTS:
            for listen in listeners:
                listen(event)


def test_tensorboard_reads_what_was_told(here: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tell("tensorboard")
    read = EventAccumulator(str(here / "runs" / "try-1"))
    read.Reload()
    told = {tag: [one.step for one in read.Tensors(tag)] for tag in read.Tags()["tensors"]}
    assert told == {"nDCG@10": [0, 2], "probe_train_chance": [0], "loss": [1], "lr": [1]}


def test_trackio_has_the_run(here: Path) -> None:
    pytest.importorskip("trackio")
    tell("trackio")
    assert list((here / "trackio").glob(f"{module.PROJECT}*.db"))


def test_wandb_has_the_run(here: Path) -> None:
    pytest.importorskip("wandb")
    tell("wandb")
    assert list((here / "wandb").glob("offline-run-*/*.wandb"))


def test_another_name_is_one_line() -> None:
    wanted = pytest.raises(RerankError, match=r"--observe tensorbord: there is no such observer; .*tensorboard")
    with wanted, observers(["tensorbord"], "try-1"):
        pass
