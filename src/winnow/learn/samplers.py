"""The rows that an epoch draws and their order, divided into batches and over devices."""

import math
from collections.abc import Sequence
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
    gradient_accumulation_steps: int
    """micro-batches a process works through for one step"""
    processes: int
    rank: int

    def __post_init__(self) -> None:
        if self.batch_size % self.pieces:
            raise TrainingError(
                f"batch_size {self.batch_size} cannot be cut evenly into {self.processes} devices × "
                f"{self.gradient_accumulation_steps} micro-batches",
                fix=f"make batch_size a multiple of {self.pieces}, or lower the other two",
            )

    @property
    def pieces(self) -> int:
        return self.processes * self.gradient_accumulation_steps


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
        self._drawn: tuple[int | None, NDArray[np.int64]] = None, np.empty(0, dtype=np.int64)

    def order(self, seed: int) -> NDArray[np.int64]:
        """Row indices, shape (rows,), in the order in which the epoch of this seed draws them."""
        rng = np.random.default_rng(seed)
        return rng.permutation(self.rows) if self.weights is None else draw_rows(self.weights, rng)

    def __len__(self) -> int:
        """Micro-batches of this process in one epoch."""
        return math.ceil(self.rows / self.share.batch_size) * self.share.gradient_accumulation_steps

    def batch(self, seed: int, index: int) -> NDArray[np.int64]:
        """
        Row indices of this process's micro-batch `index` in the epoch of this seed.

        All pieces of a batch have the same size; in the last batch sizes may differ by one. Where it has fewer rows
        than pieces, the remaining pieces are fillers of one row, which the loop does not count.
        """
        start, rows, piece = self._place(index)
        if self._drawn[0] != seed:
            self._drawn = seed, self.order(seed)
        order = self._drawn[1]
        if piece >= rows:
            return order[start : start + 1]
        size, larger = divmod(rows, self.share.pieces)
        first = start + piece * size + min(piece, larger)
        return order[first : first + size + (piece < larger)]

    def is_filler(self, index: int) -> bool:
        """Whether this process has no row of its own in micro-batch `index`; it then keeps processes in step only."""
        _, rows, piece = self._place(index)
        return piece >= rows

    def _place(self, index: int) -> tuple[int, int, int]:
        """Where the batch of micro-batch `index` starts in the epoch, its rows, and which piece of it this one is."""
        step, micro = divmod(index, self.share.gradient_accumulation_steps)
        start = step * self.share.batch_size
        rows = min(self.share.batch_size, self.rows - start)
        return start, rows, micro * self.share.processes + self.share.rank


class LengthBucketSampler(EpochSampler):
    """As `EpochSampler`, with rows of similar length in a batch, so that little of a padded batch is padding.

    The epoch's random order is cut into pools of `POOL` batches, each pool is sorted by length, and the batches are
    shuffled; the last batch, which may be smaller, stays the last one.
    """

    POOL = 32

    def __init__(self, lengths: Sequence[int], share: BatchShare, weights: NDArray[np.float64] | None = None) -> None:
        super().__init__(len(lengths), share, weights)
        self.lengths = np.asarray(lengths)

    def order(self, seed: int) -> NDArray[np.int64]:
        drawn, size = super().order(seed), self.share.batch_size
        pools = [drawn[start : start + self.POOL * size] for start in range(0, len(drawn), self.POOL * size)]
        ordered = np.concatenate([pool[np.argsort(self.lengths[pool], kind="stable")] for pool in pools])
        whole = len(ordered) // size
        batches = ordered[: whole * size].reshape(whole, size)
        shuffled = batches[np.random.default_rng((seed, 1)).permutation(whole)]
        return np.concatenate([shuffled.ravel(), ordered[whole * size :]])


class BalancedBatchSampler(EpochSampler):
    """As many draws as rows, and every batch holds all classes about equally: small classes are drawn repeatedly.

    Classes follow each other in turns, in a new order each turn; within a class, every row comes once before any comes
    again.
    """

    def __init__(self, classes: NDArray[np.int64], share: BatchShare) -> None:
        super().__init__(len(classes), share)
        self.of_class = [np.flatnonzero(classes == label) for label in np.unique(classes)]

    def order(self, seed: int) -> NDArray[np.int64]:
        rng = np.random.default_rng(seed)
        turns = math.ceil(self.rows / len(self.of_class))
        columns = [
            np.concatenate([rng.permutation(rows) for _ in range(math.ceil(turns / len(rows)))])[:turns]
            for rows in self.of_class
        ]
        drawn = np.stack(columns, axis=1)
        return rng.permuted(drawn, axis=1).ravel()[: self.rows]
