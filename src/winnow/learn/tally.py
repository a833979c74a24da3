"""Sums over an epoch's batches, without waiting for the device after each."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Loss = Tensor | tuple[Tensor, Mapping[str, Tensor]]
"""what a domain's loss function gives: a scalar, alone or with further scalars to average over the epoch"""


class Tally:
    """
    Mean loss and parts of an epoch; every process gets the same.

    `sums` are plain numbers added in the batches' order, so that they can be stored and continued to the same bits.
    """

    def __init__(self, sums: Mapping[str, float], gather: Callable[[Tensor], Tensor]) -> None:
        self.sums = dict(sums)
        self._gather = gather
        self._pending: list[tuple[Tensor, ...]] = []
        self._names: tuple[str, ...] = ()

    def add(self, loss: Loss) -> Tensor:
        """Note a batch; gives the scalar to differentiate."""
        value, parts = loss if isinstance(loss, tuple) else (loss, {})
        self._names = ("loss", *parts)
        self._pending.append((value.detach(), *(part.detach() for part in parts.values())))
        return value

    def __len__(self) -> int:
        """Batches noted since the last `settle`."""
        return len(self._pending)

    def settle(self) -> tuple[int, float] | None:
        """Add up what was noted; gives (index among it, loss) of the first batch whose loss is not finite."""
        if not self._pending:
            return None
        width = len(self._names)
        values = torch.stack([value for row in self._pending for value in row]).float().view(1, -1, width)
        rows = self._gather(values).mean(dim=0).tolist()
        self._pending.clear()
        for index, row in enumerate(rows):
            if row[0] != row[0] or abs(row[0]) == float("inf"):
                return index, row[0]
            for name, value in zip(self._names, row, strict=True):
                self.sums[name] = self.sums.get(name, 0.0) + value
        self.sums["batches"] = self.sums.get("batches", 0) + len(rows)
        return None

    def means(self) -> dict[str, float]:
        return {name: total / self.sums["batches"] for name, total in self.sums.items() if name != "batches"}
