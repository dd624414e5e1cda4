"""Batches prepared by other processes: the same ones, and what is said when such a process dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from rr import RerankError
from rr_torch.feeding import feed
from rr_torch.settings import FitSettings
from tests.torch.test_fitting import Item, Run, Stop, assert_same, items, shuffled

# on a machine with fewer cores torch says so
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")

SETTINGS = FitSettings(batch_size=4, lr=0.02, eval_steps=3, save_steps=3)


def run(out: Path, workers: int, prepare: object = list) -> Run:
    return Run(out, SETTINGS, shuffled(items(26), 2), options={"workers": workers, "prepare": prepare})


def elsewhere(batch: Sequence[Item]) -> list[Item]:
    assert os.getpid() != HERE
    return list(batch)


HERE = os.getpid()


def test_workers_prepare_what_the_training_itself_would(tmp_path: Path) -> None:
    alone, helped = run(tmp_path / "alone", 0), run(tmp_path / "helped", 2, elsewhere)
    assert_same(alone, alone(), helped, helped())


def test_an_interrupted_training_with_workers_goes_on_bit_by_bit(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", 0)
    kept = whole()
    stopped = run(tmp_path / "again", 2)
    stopped.stop_at_event = 7
    with pytest.raises(Stop):
        stopped()
    again = run(tmp_path / "again", 1)
    assert_same(again, again(), whole, kept)


@pytest.mark.parametrize("workers", [0, 2])
def test_steps_come_in_order_and_from_any_of_them(workers: int) -> None:
    state = torch.get_rng_state()
    assert list(feed(range(3, 9), lambda step: [step, -step], workers)) == [[n, -n] for n in range(3, 9)]
    assert list(feed(range(3, 3), lambda step: [step], workers)) == []
    assert torch.equal(torch.get_rng_state(), state)


def test_a_worker_that_dies_is_one_line(tmp_path: Path) -> None:
    def killed(batch: Sequence[Item]) -> list[Item]:
        os.kill(os.getpid(), signal.SIGKILL)
        return list(batch)

    with pytest.raises(RerankError) as raised:
        run(tmp_path, 1, killed)()
    assert str(raised.value).endswith("died (for want of memory, often); set dataloader_num_workers: 0")


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_in_a_worker_is_said_as_it_would_be_without(tmp_path: Path, workers: int) -> None:
    def refused(batch: Sequence[Item]) -> list[Item]:
        raise RerankError("the query leaves no room")

    with pytest.raises(RerankError) as raised:
        run(tmp_path, workers, refused)()
    assert str(raised.value) == "the query leaves no room"
