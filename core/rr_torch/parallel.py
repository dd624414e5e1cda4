"""Several processes that train one model together, as `accelerate launch` or `torchrun` start them.

Each computes the gradient of its share of a batch, and the gradients are summed: the same step, to rounding, as one
process would make. Without a launcher there is one process, and nothing here does anything.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from accelerate import PartialState
from torch import Tensor, distributed

from rr.training.processes import processes
from rr_torch.device import pick_device


def add_up(tensors: Sequence[Tensor]) -> None:
    """Replaces each tensor by its sum over the processes."""
    if processes() > 1:
        _state()
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        distributed.all_reduce(flat)
        for tensor, summed in zip(tensors, torch.split(flat, [one.numel() for one in tensors]), strict=True):
            tensor.copy_(summed.view_as(tensor))


def wait() -> None:
    """Until all processes have got here."""
    gathered(torch.zeros(()))


def gathered(tensor: Tensor) -> list[Tensor]:
    """The tensor of each process, by rank."""
    if processes() == 1:
        return [tensor]
    device = _state().device
    all_ = [torch.empty_like(tensor, device=device) for _ in range(processes())]
    distributed.all_gather(all_, tensor.to(device))
    return [one.cpu() for one in all_]


def _state() -> PartialState:
    """Connects the processes, once."""
    return PartialState(cpu=pick_device().type == "cpu")
