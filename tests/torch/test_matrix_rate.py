"""What the benchmarks hold their work against is the best that this machine does, by whatever library."""

from __future__ import annotations

import importlib.util
import itertools
from types import ModuleType
from typing import Any

import pytest
import torch

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("matrix_rate", ROOT / "benchmarks" / "matrix_rate.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_all_libraries_make_the_same_product(module: ModuleType) -> None:
    products = {name: torch.as_tensor(way()) for name, way in module.products((40, 32, 48)).items()}
    assert {"torch", "OpenBLAS"} <= set(products)
    assert ("oneDNN" in products) == module.has_onednn()
    for product in products.values():
        assert product.shape == (40, 48)
        assert torch.allclose(product, products["torch"], atol=1e-4)


@pytest.mark.parametrize("fastest", ["torch", "oneDNN", "OpenBLAS"])
def test_the_limit_is_the_best_of_the_libraries_over_shapes_and_rounds(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, fastest: str
) -> None:
    clock = 0.0
    rounds = itertools.count()

    def products(shape: tuple[int, int, int]) -> dict[str, Any]:
        def way(name: str) -> None:
            nonlocal clock
            slow = 1 if next(rounds) % 5 == 3 else 2  # the machine's speed changes
            clock += slow * shape[1] / (3 if name == fastest else 1)

        return {name: lambda name=name: way(name) for name in ("torch", "oneDNN", "OpenBLAS")}

    monkeypatch.setattr(module, "products", products)
    monkeypatch.setattr(module.time, "perf_counter", lambda: clock)
    machine = module.MatrixRate([(10, 20, 30), (10, 40, 30)])
    limits = []
    for _ in range(4):
        machine.measure()
        limits.append(machine.limit)
        assert machine.limit == max(machine.best.values()) == machine.best[fastest]
    assert limits == sorted(limits)
    # 2 · rows · inputs · outputs in inputs / 3 seconds
    assert limits[-1] == pytest.approx(2 * 10 * 30 * 3)
    assert set(machine.best) == {"torch", "oneDNN", "OpenBLAS"}
