"""Several processes, on one machine or several, that train one model together, as `torchrun` or `accelerate launch`
start them.

Each computes the gradient of its share of a batch, and the gradients are summed: the same step, to rounding, as one
process would make. The first process alone reads and writes files and decides; what it has read and decided is sent
to the others, which may stand on machines that have no disk in common with it. Without a launcher there is one process,
and nothing here does anything.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import PartialState
from torch import Tensor, distributed

from rr.errors import PluginError, RerankError, summary
from rr.training.processes import processes, rank
from rr_torch.device import pick_device

LOST = ("gloo", "nccl", "connection closed", "connection reset", "broken pipe")
"""What is said, in whatever case, where another process cannot be reached."""


@contextmanager
def lost_in_one_line() -> Iterator[None]:
    """
    Raises:
        PluginError: another process has ended, or cannot be reached. It is of the kind that leaves what was kept.
    """
    try:
        yield
    except RuntimeError as error:
        if processes() == 1 or not any(word in str(error).lower() for word in LOST):
            raise
        raise PluginError(
            f"one of the {processes()} processes that train together has ended, or cannot be reached "
            f"({_briefly(error)}); the same command again goes on from the last state that was kept"
        ) from error


def _briefly(error: RuntimeError) -> str:
    """Without the place in its source code that gloo names, and without its advice."""
    return re.sub(r"^\w+: (\[/\S+\] )?", "", summary(error)).partition(". ")[0][:200]


def check_launch(dtype: torch.dtype | None) -> None:
    """Whether all that the launcher's configuration asks for is done. What makes a checkpoint stands in its settings,
    which are part of its key; so the number format of forward passes (`dtype`) does.

    Raises:
        RerankError: it asks for something else.
    """
    for name, what in (("DEEPSPEED", "DeepSpeed"), ("MEGATRON_LM", "Megatron-LM")):
        if os.environ.get(f"ACCELERATE_USE_{name}", "false").lower() == "true":
            raise RerankError(
                f"the launcher asks for {what}; weights are sharded by FSDP here: see docs/distributed.md"
            )
    asked = os.environ.get("ACCELERATE_MIXED_PRECISION") or "no"
    own = {torch.float16: "fp16", torch.bfloat16: "bf16"}.get(dtype, "no") if dtype else "no"
    if asked not in ("no", own):
        raise RerankError(
            f"the launcher asks for mixed_precision: {asked}, and the training's settings say {own}; set it there "
            f"('{asked}: true', where the trainer has it), and launch with --mixed_precision no"
        )


def add_up(tensors: Sequence[Tensor]) -> None:
    """Replaces each tensor by its sum over the processes."""
    if processes() > 1 and tensors:
        _state()
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with lost_in_one_line():
            distributed.all_reduce(flat)
        for tensor, summed in zip(tensors, torch.split(flat, [one.numel() for one in tensors]), strict=True):
            tensor.copy_(summed.view_as(tensor))


def gathered(tensor: Tensor) -> list[Tensor]:
    """The tensor of each process, by rank, in main memory."""
    return [one.cpu() for one in _gathered(tensor)]


def joined(own: Tensor, rows: int) -> Tensor:
    """All rows of a batch that the processes share out in turn: row i is row i // P of process i % P. Gradients reach
    each process's own ones. `own`: shape (this process's rows, …). Every process must compute the same of them, and
    the loss is the mean of what they have."""
    return own if processes() == 1 else _Joined.apply(own, rows)  # type: ignore[no-untyped-call]


class _Joined(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor, rows: int) -> Tensor:
        padded = own.new_zeros(-(-rows // processes()), *own.shape[1:])
        padded[: len(own)] = own
        return torch.stack(_gathered(padded), dim=1).flatten(0, 1)[:rows].to(own.device)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient[rank() :: processes()] * processes(), None  # of the mean of so many equal losses


def told(value: Any) -> Any:
    """What the first process says here: JSON-able."""
    if processes() == 1:
        return value
    text = json.dumps(value).encode() if rank() == 0 else b""
    size = torch.tensor([len(text)])
    _from_first(size)
    sent = torch.frombuffer(bytearray(text), dtype=torch.uint8) if text else torch.empty(int(size), dtype=torch.uint8)
    _from_first(sent)
    return json.loads(sent.numpy().tobytes())


def from_first(tensors: Sequence[Tensor]) -> None:
    """Replaces each tensor by that of the first process."""
    if processes() > 1:
        for tensor in tensors:
            _from_first(tensor)


def sent(tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Names and tensors of the first process, one after the other; in the others they are copies in main memory."""
    if processes() == 1:
        yield from tensors.items()
        return
    header = told([[name, str(one.dtype).removeprefix("torch."), list(one.shape)] for name, one in tensors.items()])
    for name, dtype, shape in header:
        tensor = tensors[name] if rank() == 0 else torch.empty(shape, dtype=getattr(torch, dtype))
        _from_first(tensor)
        yield name, tensor


def _from_first(tensor: Tensor) -> None:
    """As bytes: not every backend knows every number format."""
    whole = tensor.detach().to(_state().device).contiguous()
    with lost_in_one_line():
        distributed.broadcast(whole.view(-1).view(torch.uint8), 0)
    if rank() > 0:
        tensor.detach().copy_(whole)


def _gathered(tensor: Tensor) -> list[Tensor]:
    if processes() == 1:
        return [tensor]
    device = _state().device
    all_ = [torch.empty_like(tensor, device=device) for _ in range(processes())]
    with lost_in_one_line():
        distributed.all_gather(all_, tensor.detach().to(device).contiguous())
    return all_


def _state() -> PartialState:
    """Connects the processes, once."""
    with lost_in_one_line():
        return PartialState(cpu=pick_device().type == "cpu")
