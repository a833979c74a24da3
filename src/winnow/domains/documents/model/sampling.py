"""Which training pages an epoch draws: the classes alike, and pages without a class as often as they come."""

import numpy as np
from numpy.typing import NDArray

from winnow.learn.samplers import BalancedBatchSampler, BatchShare


class KnownClassSampler(BalancedBatchSampler):
    """As `BalancedBatchSampler`, of pages of which some have no class (-1): each of these comes once an epoch.

    They are spread over the epoch at random, so that a batch holds its classes alike otherwise.
    """

    def __init__(self, classes: NDArray[np.int64], share: BatchShare) -> None:
        super().__init__(classes, share)
        known = classes >= 0
        self.unknown = np.flatnonzero(~known)
        self.of_class = [rows for rows in self.of_class if known[rows[0]]]

    def order(self, seed: int) -> NDArray[np.int64]:
        balanced = super().order(seed)
        if not len(self.unknown):
            return balanced
        rng = np.random.default_rng((seed, 1))
        order = np.empty(self.rows, dtype=np.int64)
        places = np.zeros(self.rows, dtype=np.bool_)
        places[rng.permutation(self.rows)[: len(self.unknown)]] = True
        order[places] = rng.permutation(self.unknown)
        order[~places] = balanced[: self.rows - len(self.unknown)]
        return order
