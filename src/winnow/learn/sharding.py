"""
A model sharded over processes (FSDP, Zhao et al. 2023; torch's `fully_shard`).

Each process holds a part of every weight, of its gradient and of the optimiser's state; the weights of one unit of the
model at a time are gathered for its forward and backward pass. Tensors that are sharded are torch's DTensors,
whose module takes a second to import; those that are not pass through the functions here unchanged.
"""

from collections.abc import Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn


def shard_model(model: nn.Module, fsdp_modules: Iterable[nn.Module], device: torch.device, processes: int) -> None:
    """Move the model to the devices, in place, a part of each weight to each process. All processes call it."""
    from torch.distributed.device_mesh import init_device_mesh  # noqa: PLC0415
    from torch.distributed.fsdp import fully_shard  # noqa: PLC0415

    mesh = init_device_mesh(device.type, (processes,))
    for unit in (*fsdp_modules, model):
        fully_shard(unit, mesh=mesh)


def is_sharded(value: Tensor) -> bool:
    """Whether each process has but a part of the tensor."""
    return hasattr(value, "full_tensor")


def whole(value: Tensor) -> Tensor:
    """The tensor of which each process has a part. All processes call it, in the same order."""
    found: Tensor = cast("Any", value).full_tensor() if is_sharded(value) else value
    return found


def own_part(value: Tensor) -> Tensor:
    """The part of this process, in the same memory."""
    found: Tensor = cast("Any", value).to_local() if is_sharded(value) else value
    return found


def part_like(value: Tensor, other: Tensor) -> Tensor:
    """A whole tensor, which every process has, sharded as `other` is."""
    if not is_sharded(other):
        return value
    from torch.distributed.tensor import distribute_tensor  # noqa: PLC0415

    like = cast("Any", other)
    return distribute_tensor(value.to(other.device), like.device_mesh, like.placements, src_data_rank=None)
