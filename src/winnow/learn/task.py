"""What a domain hands the loop, and what it gets back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from winnow.learn.loaders import Loaders
from winnow.learn.samplers import BatchShare
from winnow.learn.tally import Loss


def carry_nothing(folder: Path) -> None:
    """The model folder needs no file besides the network's own."""


def whole_model(model: nn.Module) -> list[dict[str, Any]]:
    """All trainable parameters in one group."""
    return [{"params": [parameter for parameter in model.parameters() if parameter.requires_grad]}]


@dataclass(frozen=True)
class Task:
    """What a domain hands the loop. Networks see no params: these functions turn them into arguments."""

    build: Callable[[], nn.Module]
    """a new model; called under the training's seed"""
    loaders: Callable[[str, BatchShare], Loaders]
    """the data of a subset, cut into this process's share of every batch; called once a phase"""
    loss: Callable[[nn.Module, Any], Loss]
    """mean loss of a batch, or (loss, {name: scalar}); must call the model itself (`model(…)`), which is wrapped"""
    validate: Callable[[nn.Module, Any], Mapping[str, float]]
    """metrics of `Loaders.val`, in eval mode without gradients; `loss_by_grade/6A` is a curve of its own"""
    groups: Callable[[nn.Module], list[dict[str, Any]]] = whole_model
    """AdamW's parameter groups; a group's `lr_scale` multiplies its learning rate"""
    summarise: Callable[[Mapping[str, float]], dict[str, float]] = dict
    """turns an epoch's means of the loss and its parts into its train metrics (counts into rates); keeps `loss`"""
    carry: Callable[[Path], None] = carry_nothing
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
    """per epoch: epoch and phase (from 1 and 0), learning_rate, best, train {metric: value}, val {metric: value}"""
    best_epoch: int
    """whose weights were selected, from 1"""
    epoch_seconds: list[float] = field(default_factory=list)
    """of the epochs that this process ran; for the ledger, never for an output"""
