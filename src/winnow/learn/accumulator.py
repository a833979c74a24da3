"""The loss of a batch, and its sums over an epoch's batches without waiting for the device after each."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Loss:
    """
    The loss of a micro-batch as a sum and a count, so that micro-batches and processes add up to the whole batch.

    The gradient of a step is that of the sum of all `total` divided by the sum of all `count`.
    """

    total: Tensor
    """scalar: the sum over what is averaged (rows, tokens, or their weights)"""
    count: Tensor | float
    """how many there are (or the sum of their weights)"""
    parts: Mapping[str, Tensor] = field(default_factory=dict)
    """further scalar sums over the same, such as `{"accuracy": correct.sum()}`; reported divided by `count`"""

    def zeroed(self) -> "Loss":
        """The same, counting nothing: for a micro-batch that only keeps processes in step."""
        return Loss(self.total * 0, self.count * 0, {name: part * 0 for name, part in self.parts.items()})


class LossAccumulator:
    """
    Mean loss and parts over batches; every process gets the same.

    `sums` are plain numbers added in the batches' order, so that they can be stored and continued to the same bits.
    """

    def __init__(self, sums: Mapping[str, float], gather: Callable[[Tensor], Tensor]) -> None:
        self.sums = dict(sums)
        self._gather = gather
        self._pending: list[tuple[Tensor, ...]] = []
        self._names: tuple[str, ...] = ()

    def add(self, loss: Loss, count: Tensor) -> None:
        """Note a batch; `count` is the loss's, as a tensor on its device."""
        self._names = ("count", "loss", *loss.parts)
        self._pending.append((count, loss.total.detach(), *(part.detach() for part in loss.parts.values())))

    def __len__(self) -> int:
        """Batches noted since the last `settle`."""
        return len(self._pending)

    def settle(self) -> tuple[int, float] | None:
        """Add up what was noted; returns (index among it, loss) of the first batch whose loss is not finite."""
        if not self._pending:
            return None
        width = len(self._names)
        values = torch.stack([value for row in self._pending for value in row]).float().view(1, -1, width)
        rows = self._gather(values).sum(dim=0).tolist()
        self._pending.clear()
        for index, row in enumerate(rows):
            total = row[1]
            if not math.isfinite(total):
                return index, total
            for name, value in zip(self._names, row, strict=True):
                self.sums[name] = self.sums.get(name, 0.0) + value
        return None

    def means(self) -> dict[str, float]:
        return {name: total / self.sums["count"] for name, total in self.sums.items() if name != "count"}
