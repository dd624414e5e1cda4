"""Weights, gradients and optimiser states that are spread over the processes, where one device has no room for them:
FSDP2, as accelerate's configuration asks for it (`accelerate launch --config_file examples/fsdp.yaml`).

The layers that the configuration names are sharded, each by itself; what is outside of them (the output layer, a
pooler) is whole in every process. A plugin may thus call a part of its model, or read a weight of its output layer, as
it does where nothing is sharded. Each forward and backward pass of a sharded layer takes all processes: they must make
equally many.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor

from rr.errors import RerankError
from rr.training.processes import processes, rank


def shards() -> bool:
    """Whether the launcher asks for it."""
    return processes() > 1 and os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"


def shard(module: Any, device: torch.device) -> bool:
    """Spreads the layers of a transformers model over the processes, if the launcher asks for it; True: it is done.
    Other modules are small, and stay as they are.

    Raises:
        RerankError: the configuration asks for FSDP1, names no layer of this model, or asks for what is not done here.
    """
    if not shards() or getattr(module, "_no_split_modules", None) is None:
        return False
    from accelerate.utils import FullyShardedDataParallelPlugin
    from accelerate.utils.fsdp_utils import fsdp2_prepare_auto_wrap_policy
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FSDPModule, fully_shard

    if os.environ.get("FSDP_VERSION") != "2":
        raise RerankError("the launcher asks for FSDP1; set fsdp_version: 2 in accelerate's configuration")
    asked = FullyShardedDataParallelPlugin()
    if asked.activation_checkpointing:
        raise RerankError(
            "fsdp_activation_checkpointing: set gradient_checkpointing: true in the settings in its place"
        )
    try:
        asked.set_auto_wrap_policy(module)
        is_unit = fsdp2_prepare_auto_wrap_policy(asked, module)
    except ValueError as error:
        raise RerankError(f"accelerate's configuration of FSDP: {error}") from error
    units = [part for part in reversed(list(module.modules())) if is_unit is not None and is_unit(part)]
    if not units:
        raise RerankError(
            f"accelerate's configuration of FSDP names no layer of {type(module).__name__}; leave out "
            "fsdp_transformer_layer_cls_to_wrap, and set fsdp_auto_wrap_policy: TRANSFORMER_BASED_WRAP"
        )
    mesh = init_device_mesh(device.type, (processes(),))
    offload = {"offload_policy": asked.cpu_offload} if asked.cpu_offload else {}
    for unit in units:
        made: FSDPModule = fully_shard(unit, mesh=mesh, reshard_after_forward=asked.reshard_after_forward, **offload)
        # gradients are summed, as those of whole weights are: each process's loss has its share of a batch's weight
        made.set_gradient_divide_factor(1.0)
        made.set_force_sum_reduction_for_comms(True)
        made.unshard()  # what it keeps is made now: made in inference mode, it could not be trained
        made.reshard()
    return True


def whole(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, those that are sharded put together: in the main memory of the first process, for it to write. All
    processes must ask for the same. In the others they are empty."""
    return {name: _whole(tensor) if isinstance(tensor, DTensor) else tensor for name, tensor in tensors.items()}


def put(weight: Tensor, value: Tensor) -> None:
    """Sets a weight, sharded or not, to a whole value that all processes have."""
    weight.detach().copy_(like(weight, value) if isinstance(weight, DTensor) else value)


def restore(module: torch.nn.Module, named: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    """Sets tensors of a module, sharded or not, to whole values that all processes have under the same names."""
    from torch.distributed.fsdp import FSDPModule

    for name, value in values.items():
        put(named[name], value)
    for part in module.modules():
        if isinstance(part, FSDPModule):
            part.reshard()  # or what it has gathered before would be read on


def like(weight: Tensor, value: Tensor) -> Tensor:
    """A copy of a whole value, on the device of the weight and sharded as it is; what has no shape never is."""
    if not isinstance(weight, DTensor) or value.dim() == 0:
        return value.to(weight.device, copy=True)
    return distribute_tensor(value.to(weight.device), weight.device_mesh, weight.placements, src_data_rank=None)


def alike(tensors: Iterable[Tensor]) -> list[list[Tensor]]:
    """Those that are whole, and those that are sharded: torch computes no list of both."""
    found: dict[bool, list[Tensor]] = {}
    for tensor in tensors:
        found.setdefault(isinstance(tensor, DTensor), []).append(tensor)
    return list(found.values())


def clip(weights: Sequence[Tensor], norm: float) -> float:
    """Scales their gradients down to a norm over all of them, and gives the norm that they had."""
    lists = alike([weight for weight in weights if weight.grad is not None])
    found = [torch.nn.utils.get_total_norm([one.grad for one in some if one.grad is not None]) for some in lists]
    total = torch.linalg.vector_norm(
        torch.stack([one.full_tensor() if isinstance(one, DTensor) else one for one in found])
    )
    for some in lists:
        torch.nn.utils.clip_grads_with_norm_(some, norm, total)
    return float(total)


def _whole(tensor: DTensor) -> Tensor:
    found: Tensor = tensor.full_tensor()
    return found.cpu() if rank() == 0 else found.new_empty(0)
