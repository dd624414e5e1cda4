"""Mixed precision: forward passes in half the bits, weights and their updates in float32."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from rr.errors import RerankError


@dataclass(frozen=True)
class Precision:
    """The format of forward passes on a device; None: that of the weights, nothing is cast."""

    dtype: torch.dtype | None = None
    device: str = "cpu"

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device, self.dtype, enabled=self.dtype is not None)

    def scaler(self) -> torch.amp.GradScaler:
        """Keeps float16's small gradients from becoming 0; the other formats need none, and theirs does nothing."""
        return torch.amp.GradScaler(self.device, enabled=self.dtype == torch.float16)


def mixed_precision(fp16: bool, bf16: bool, device: torch.device) -> Precision:
    """
    Raises:
        RerankError: float16 on a CPU, which computes it in emulation.
    """
    if fp16 and device.type == "cpu":
        raise RerankError("fp16 needs a GPU, and there is none here; set fp16: false, or bf16: true")
    return Precision(torch.float16 if fp16 else torch.bfloat16 if bf16 else None, device.type)
