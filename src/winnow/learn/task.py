"""What a domain passes to the loop, and what it gets back."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from winnow.learn.accumulator import Loss
from winnow.learn.loaders import Loaders
from winnow.learn.samplers import BatchShare


def carry_nothing(folder: Path) -> None:
    """The model folder needs no file besides the network's own."""


def trainable(model: nn.Module) -> list[dict[str, Any]]:
    """All trainable parameters in one group."""
    return [{"params": [parameter for parameter in model.parameters() if parameter.requires_grad]}]


def no_units(_: nn.Module) -> Sequence[nn.Module]:
    """The model is not sharded."""
    return ()


def whole_state(model: nn.Module) -> Collection[str]:
    """The names of all parameters and buffers."""
    return model.state_dict().keys()


def adamw(groups: list[dict[str, Any]], learning_rate: float, weight_decay: float) -> Optimizer:
    """AdamW (Loshchilov and Hutter 2019), fused: it takes an exact square root, so its bits are the same on any CPU."""
    return torch.optim.AdamW(groups, lr=learning_rate, weight_decay=weight_decay, fused=True)


@dataclass(frozen=True)
class Task:
    """What a domain passes to the loop. Networks see no params: these functions turn them into arguments."""

    build: Callable[[], nn.Module]
    """returns a new model; called once, under the training's seed"""
    loaders: Callable[[str, BatchShare], Loaders]
    """the data of a subset, cut into this process's share of every batch; called once a phase"""
    loss: Callable[[nn.Module, Any], Loss]
    """the loss of a batch on the model's device; must call the model itself (`model(…)`), which is wrapped for DDP"""
    predict: Callable[[nn.Module, Iterable[Any]], Iterator[Mapping[str, Tensor]]]
    """
    generator over this process's validation batches, on the model's device, in eval mode without gradients: yields for
    each batch what `metrics` needs to know of its rows, tensors with rows as their first dimension
    """
    metrics: Callable[[Mapping[str, Tensor]], Mapping[str, float]]
    """the metrics of what `predict` yielded for all validation rows, in order, on the CPU of the main process"""
    constants: Mapping[str, Any] = field(default_factory=dict)
    """tensors that every batch needs, such as a graph: copied to the device once and added to every batch"""
    fsdp_modules: Callable[[nn.Module], Sequence[nn.Module]] = no_units
    """
    modules whose weights are sharded over several processes, and gathered one module at a time (FSDP), such as the
    blocks of a transformer; without any each process has the whole model (DDP). `predict` must call `model(…)` once a
    batch
    """
    groups: Callable[[nn.Module], list[dict[str, Any]]] = trainable
    """the optimiser's parameter groups; a group's `lr_scale` multiplies its learning rate"""
    optimizer: Callable[[list[dict[str, Any]], float, float], Optimizer] = adamw
    """the optimiser of (groups, learning rate, weight decay); its state must be tensors"""
    state_dict_keys: Callable[[nn.Module], Collection[str]] = whole_state
    """the names of the state that checkpoints hold: all of a small model, the adapter alone of a large one"""
    summarise: Callable[[Mapping[str, float]], dict[str, float]] = dict
    """turns the means of the loss and its parts into train metrics (counts into rates); keeps `loss`"""
    save_extras: Callable[[Path], None] = carry_nothing
    """writes into the model folder, after `save_pretrained`, what using the model needs besides its weights"""


@dataclass(frozen=True)
class Result:
    """A finished training, on the main process."""

    model: nn.Module
    """with the selected weights, on the CPU, in eval mode"""
    weights: Path
    """those weights as safetensors"""
    checkpoints: Path
    """the folder of named checkpoints"""
    history: list[dict[str, Any]]
    """one record per validation: epoch and phase (from 1 and 0), step (of the epoch, or 0 at its end), learning_rate,
    best, train {metric: value}, val {metric: value}"""
    best_epoch: int
    """the epoch, from 1, whose weights were selected"""
    epoch_seconds: list[float] = field(default_factory=list)
    """durations between validations in this process; for the ledger, never for an output"""
