"""Which rows an epoch draws, in which order, cut into batches and shared out over devices."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from winnow.curate.weights import draw_rows
from winnow.pipeline.errors import TrainingError


@dataclass(frozen=True)
class BatchShare:
    """How much of every batch is this process's."""

    batch_size: int
    """rows of one optimiser step, over all processes"""
    accumulation: int
    """micro-batches a process works through for one step"""
    processes: int
    rank: int

    def __post_init__(self) -> None:
        if self.batch_size % self.pieces:
            raise TrainingError(
                f"batch_size {self.batch_size} cannot be cut evenly into {self.processes} devices × "
                f"{self.accumulation} micro-batches",
                fix=f"make batch_size a multiple of {self.pieces}, or lower accumulation or runtime.devices",
            )

    @property
    def pieces(self) -> int:
        return self.processes * self.accumulation


class EpochSampler:
    """Every row once in random order; with weights, as many draws as rows, each row's share its weight's."""

    def __init__(self, rows: int, share: BatchShare, weights: NDArray[np.float64] | None = None) -> None:
        if rows < 1:
            raise TrainingError("there is no row to train on", fix="choose a larger subset, or filter less")
        if weights is not None and (
            weights.shape != (rows,) or not np.isfinite(weights).all() or weights.min() < 0 or weights.sum() <= 0
        ):
            raise TrainingError(
                f"the weights do not fit {rows} rows: they have shape {weights.shape}, and must be finite, "
                "not negative, and not all 0"
            )
        self.rows = rows
        self.share = share
        self.weights = weights

    def order(self, seed: int) -> NDArray[np.int64]:
        """Row indices, shape (rows,), in the order in which the epoch of this seed draws them."""
        rng = np.random.default_rng(seed)
        return rng.permutation(self.rows) if self.weights is None else draw_rows(self.weights, rng)

    def __len__(self) -> int:
        """Micro-batches of this process in one epoch."""
        return math.ceil(self.rows / self.share.batch_size) * self.share.accumulation

    def batches(self, seed: int, skip: int = 0) -> Iterator[NDArray[np.int64]]:
        """
        Row indices of each of this process's micro-batches, without the first `skip`.

        All pieces of a batch have the same size, so that the mean over pieces is the batch's mean; the last batch is
        filled up with the epoch's first rows, by fewer rows than there are pieces.
        """
        share = self.share
        order = self.order(seed)
        order = np.resize(order, math.ceil(self.rows / share.pieces) * share.pieces)
        for index in range(skip, len(self)):
            step, micro = divmod(index, share.accumulation)
            batch = order[step * share.batch_size : (step + 1) * share.batch_size]
            yield batch.reshape(share.pieces, -1)[micro * share.processes + share.rank]
