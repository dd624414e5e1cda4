"""The machine's own speed, to hold a benchmark's work against: a limit that no way of multiplying here passes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from rr_torch.short import OPERATORS

REPEATS = 3

Shape = tuple[int, int, int]
"""Rows, inputs, outputs of a linear layer."""


def has_onednn() -> bool:
    """Whether torch has the operators that rr_torch.short multiplies with."""
    available = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return available and all(hasattr(torch.ops.mkldnn, name) for name in OPERATORS)


def products(shape: Shape) -> dict[str, Callable[[], object]]:
    """The fp32 product of such a layer, by library: torch's own, weights laid out once for oneDNN, OpenBLAS's."""
    rows, inputs, outputs = shape
    left, weight = torch.randn(rows, inputs), torch.randn(outputs, inputs)
    ways: dict[str, Callable[[], object]] = {"torch": lambda: torch.nn.functional.linear(left, weight)}
    if has_onednn():
        laid_out = torch.ops.mkldnn._reorder_linear_weight(weight)
        ways["oneDNN"] = lambda: torch.ops.mkldnn._linear_pointwise(left, laid_out, None, "none", [], "")
    array, transposed = left.numpy(), np.ascontiguousarray(weight.numpy().T)
    return {**ways, "OpenBLAS": lambda: array @ transposed}


class MatrixRate:
    """The best rate of each library so far, over shapes and rounds. A round is to be measured beside each piece of the
    work, since a machine's speed changes."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        self._ways = [(2 * math.prod(shape), products(shape)) for shape in shapes]
        self.best: dict[str, float] = {}
        """Library → floating-point operations a second."""

    @torch.inference_mode()
    def measure(self) -> None:
        for operations, ways in self._ways:
            for name, way in ways.items():
                for _ in range(REPEATS):
                    started = time.perf_counter()
                    way()
                    rate = operations / (time.perf_counter() - started)
                    self.best[name] = max(rate, self.best.get(name, 0.0))

    @property
    def limit(self) -> float:
        return max(self.best.values())

    def __str__(self) -> str:
        return ", ".join(f"{name} {rate / 1e9:.0f}" for name, rate in self.best.items()) + " GFLOP/s"
