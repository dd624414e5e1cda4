"""The files of tensors are safetensors files, whoever wrote them."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from rr.files import CHECKSUM
from rr_torch.best import Weights
from rr_torch.fitting import copied
from rr_torch.tensors import read_tensors, write_tensors
from tests.torch.test_fitting import equal

KINDS: Weights = {
    "a scalar": torch.tensor(3.5),
    "a step": torch.tensor(3),
    "empty": torch.zeros(0, 4),
    "transposed": torch.randn(3, 5, generator=torch.Generator().manual_seed(1)).T,
    "strided": torch.arange(20)[::3],
    "a gradient": torch.ones(2, 2, requires_grad=True),
    "half": torch.randn(7, generator=torch.Generator().manual_seed(2)).half(),
    "bfloat16": torch.ones(3).bfloat16(),
    "float8": torch.ones(3).to(torch.float8_e4m3fn),
    "double": torch.ones(1, dtype=torch.float64),
    "complex": torch.ones(2, dtype=torch.complex64),
    "bool": torch.tensor([True, False, True]),
    "bytes": torch.arange(5, dtype=torch.uint8),
    "shorts": torch.arange(5, dtype=torch.int16),
    "shared": torch.ones(4),
}
KINDS["shared too"] = KINDS["shared"]
FACTS = {"said": 'ướt "quoted"\n', "none": None}


def test_the_file_is_one_that_others_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = copied({name: tensor.contiguous() for name, tensor in KINDS.items()})
    monkeypatch.setattr("rr_torch.tensors.PIECE", 3)
    write_tensors(tmp_path / "x", "key", KINDS, FACTS)
    found = load_file(tmp_path / "x")
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype, name
        assert found[name].shape == tensor.shape, name
        assert found[name].reshape(-1).view(torch.uint8).equal(tensor.reshape(-1).view(torch.uint8)), name
    tensors, facts = read_tensors(tmp_path / "x", "key")
    assert facts == FACTS
    assert all(tensor.data_ptr() % tensor.element_size() == 0 for tensor in tensors.values())


@pytest.mark.parametrize("names", [[], ["empty"], [*KINDS]], ids=["none", "empty", "all"])
def test_the_file_is_the_one_that_safetensors_writes(tmp_path: Path, names: list[str]) -> None:
    """Which wrote those that are read here, too, before this did."""
    tensors = copied({name: KINDS[name].contiguous() for name in names})
    checksum = write_tensors(tmp_path / "ours", "key", tensors, FACTS)
    found = hashlib.sha256(json.dumps(["key", json.dumps(FACTS)]).encode())
    for name, tensor in sorted(tensors.items()):
        found.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    assert found.hexdigest() == checksum
    save_file(tensors, tmp_path / "theirs", {"key": "key", "facts": json.dumps(FACTS), CHECKSUM: checksum})
    ours, theirs = (read_tensors(tmp_path / name, "key", checksum) for name in ("ours", "theirs"))
    assert ours[1] == theirs[1]
    assert ours[0].keys() == theirs[0].keys()
    for name, tensor in ours[0].items():
        assert tensor.reshape(-1).view(torch.uint8).equal(theirs[0][name].reshape(-1).view(torch.uint8)), name


def test_random_tensors_come_back(tmp_path: Path) -> None:
    generator = random.Random(3)
    for _ in range(30):
        shapes = [
            [generator.randrange(4) for _ in range(generator.randrange(4))] for _ in range(generator.randrange(6))
        ]
        dtypes = (torch.float32, torch.bfloat16, torch.int64, torch.uint8)
        tensors = {f"t{n}": torch.ones(shape).to(generator.choice(dtypes)) for n, shape in enumerate(shapes)}
        write_tensors(tmp_path / "x", "key", tensors, {})
        assert equal(read_tensors(tmp_path / "x", "key")[0], tensors)
