"""Which errors mean that there is no more memory, and nothing else."""

from __future__ import annotations

import torch

from rr.errors import RerankError

ALLOCATOR = ("can't allocate memory", "not enough memory")
"""What torch's allocator for CPUs says, on Linux and elsewhere, in a plain RuntimeError."""


def no_room(batch: int, divisible: bool) -> RerankError:
    """What to say of a batch that memory does not suffice for, and that cannot be halved."""
    if not divisible:
        return RerankError(
            f"out of memory with a batch of {batch}, which this loss needs whole; set a smaller batch_size"
        )
    return RerankError("out of memory with a batch of 1; lower max_seq_length, or set gradient_checkpointing: true")


def out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in ALLOCATOR)
