"""Which errors mean that there is no more memory, and nothing else."""

from __future__ import annotations

import torch

ALLOCATOR = ("can't allocate memory", "not enough memory")
"""What torch's allocator for CPUs says, on Linux and elsewhere, in a plain RuntimeError."""


def out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in ALLOCATOR)
