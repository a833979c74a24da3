"""What a domain passes to the loop, and what it gets back."""

from abc import ABC, abstractmethod
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


def adamw(groups: list[dict[str, Any]], learning_rate: float, weight_decay: float) -> Optimizer:
    """AdamW (Loshchilov and Hutter 2019), fused: it takes an exact square root, so its bits are the same on any CPU.

    Only matrices and kernels decay: see `decay_groups`.
    """
    decayed = decay_groups(groups) if weight_decay else groups
    return torch.optim.AdamW(decayed, lr=learning_rate, weight_decay=weight_decay, fused=True)


def decay_groups(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each group cut into what decays and what does not: biases, norms' scales, embeddings of one dimension.

    What each output is made from decides: a kernel of 1 × 1 is a matrix of channels.

    Decay pulls weights to 0, which limits what a matrix can amplify; an offset or a scale has no such effect.
    """

    def decays(parameter: Tensor) -> bool:
        return parameter.ndim >= 2 and parameter[0].numel() > 1

    cut = []
    for group in groups:
        matrices = [parameter for parameter in group["params"] if decays(parameter)]
        others = [parameter for parameter in group["params"] if not decays(parameter)]
        cut += [group | {"params": matrices}, group | {"params": others, "weight_decay": 0.0}]
    return [group for group in cut if group["params"]]


class Task(ABC):
    """What a domain tells the loop. Networks see no params: `build` turns them into arguments."""

    example = "--help"
    """what follows `winnow DOMAIN` in the model's README, to show its use"""
    by_class = ""
    """a family of validation metrics, `f1` of `f1/0`, `f1/1` …, whose values stand in the printed line too"""

    @property
    def constants(self) -> Mapping[str, Any]:
        """Tensors that every batch needs, such as a graph: copied to the device once and added to every batch."""
        return {}

    @abstractmethod
    def build(self) -> nn.Module:
        """A new model; called once, under the training's seed."""

    @abstractmethod
    def loaders(self, subset: str, share: BatchShare) -> Loaders:
        """The data of a subset, cut into this process's share of every batch; called once a phase."""

    @abstractmethod
    def loss(self, model: nn.Module, batch: Any) -> Loss:
        """The loss of a batch on the model's device; must call the model itself (`model(…)`), which DDP wraps."""

    @abstractmethod
    def predict(self, model: nn.Module, batches: Iterable[Any]) -> Iterator[Mapping[str, Tensor]]:
        """What `metrics` needs to know of the rows of each validation batch, rows as the tensors' first dimension.

        A generator over this process's batches, on the model's device, in eval mode without gradients.
        """

    @abstractmethod
    def metrics(self, rows: Mapping[str, Tensor]) -> Mapping[str, float]:
        """The metrics of what `predict` yielded for all validation rows, in order, on the CPU of the main process."""

    def fsdp_modules(self, model: nn.Module) -> Sequence[nn.Module]:
        """Modules whose weights are sharded over processes and gathered one at a time, such as a transformer's blocks.

        Without any, each process has the whole model (DDP). With some, `predict` must call `model(…)` once a batch.
        """
        del model
        return ()

    def parameter_groups(self, model: nn.Module) -> list[dict[str, Any]]:
        """The optimiser's parameter groups; a group's `lr_scale` multiplies its learning rate."""
        return [{"params": [parameter for parameter in model.parameters() if parameter.requires_grad]}]

    def optimizer(self, groups: list[dict[str, Any]], learning_rate: float, weight_decay: float) -> Optimizer:
        """The optimiser of (groups, learning rate, weight decay); its state must be tensors."""
        return adamw(groups, learning_rate, weight_decay)

    def state_dict_keys(self, model: nn.Module) -> Collection[str]:
        """The names of the state that checkpoints hold: all of a small model, the adapter alone of a large one."""
        return model.state_dict().keys()

    def summarise(self, means: Mapping[str, float]) -> dict[str, float]:
        """Train metrics from the means of the loss and its parts (counts to rates); keeps `loss`."""
        return dict(means)

    def save_extras(self, folder: Path) -> None:  # noqa: B027 - most models need nothing more
        """Write into the model folder, after `save_pretrained`, what using the model needs besides its weights."""


def head_and_body(model: nn.Module, is_head: Callable[[str], bool], **scales: float) -> list[dict[str, Any]]:
    """Two parameter groups, by the names of parameters; `head` and `body` scale their learning rates.

    A group without a trainable parameter is left out.
    """
    groups: dict[str, list[nn.Parameter]] = {"head": [], "body": []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups["head" if is_head(name) else "body"].append(parameter)
    return [{"params": own, "lr_scale": scales.get(name, 1.0)} for name, own in groups.items() if own]


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
    best: dict[str, Any]
    """the record whose weights were selected"""
    epoch_seconds: list[float] = field(default_factory=list)
    """durations between validations in this process; for the ledger, never for an output"""

    @property
    def best_epoch(self) -> int:
        """The epoch, from 1, whose weights were selected."""
        return int(self.best["epoch"])
