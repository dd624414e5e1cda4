"""Device, number format and randomness of a model, chosen in one place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from rr.protocols import Precision
from rr_torch.settings import DtypeName


def pick_device() -> torch.device:
    """The first GPU (of several processes each its own), else the CPU."""
    return (
        torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        if torch.cuda.is_available()
        else torch.device("cpu")
    )


def pick_dtype(name: DtypeName, device: torch.device) -> torch.dtype:
    """`auto`: bfloat16 on a GPU that has it, float16 on one that has not, float32 on a CPU, where half precision is
    several times slower unless the CPU has it in hardware."""
    if name != "auto":
        return {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}[name]
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Runs a block (a random initialisation, a training) under a seed, and leaves the caller's randomness alone."""
    devices = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def precision_of(dtype: torch.dtype) -> Precision:
    """What `rr.ModelInfo` calls this format."""
    names: dict[torch.dtype, Precision] = {torch.float16: "float16", torch.bfloat16: "bfloat16"}
    return names.get(dtype, "float32")


def parameter_counts(model: torch.nn.Module) -> tuple[int, int]:
    """(all, trainable) parameters."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, trainable in sizes if trainable)


@contextmanager
def evaluating(module: torch.nn.Module) -> Iterator[None]:
    """In eval mode for the block, and then as it was."""
    before = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(before)
