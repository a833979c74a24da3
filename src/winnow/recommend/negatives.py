"""Negatives: items that a user does not have, drawn from a distribution over the items."""

import numpy as np
from numpy.typing import NDArray

from winnow.recommend.graph import Graph

REDRAWS = 5


class NegativeSampler:
    """Draws items with the given `probability` (items,), which sums to 1."""

    def __init__(self, probability: NDArray[np.float64], graph: Graph) -> None:
        """`graph` says which items a user has."""
        self.probability = probability
        self.cumulative = np.cumsum(probability)
        self.items = graph.items
        self.pairs = graph.user.numpy() * graph.items + graph.item.numpy()

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """(count,) items, with replacement."""
        drawn = np.searchsorted(self.cumulative, rng.random(count) * self.cumulative[-1], side="right")
        items: NDArray[np.int64] = np.minimum(drawn, len(self.cumulative) - 1).astype(np.int64)
        return items

    def draw_shared(self, count: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Distinct items of `count` draws, sorted, and the logarithm of each one's probability of being among them."""
        items = np.unique(self.draw(count, rng))
        included = -np.expm1(count * np.log1p(-np.minimum(self.probability[items], 1 - 1e-12)))
        return items, np.log(included).astype(np.float32)

    def draw_unknown(self, users: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """For each user one item that they do not have; known items are drawn again, at most `REDRAWS` times."""
        drawn = self.draw(len(users), rng)
        for _ in range(REDRAWS):
            pairs = users * self.items + drawn
            place = np.minimum(np.searchsorted(self.pairs, pairs), len(self.pairs) - 1)
            known = np.flatnonzero(self.pairs[place] == pairs)
            if not len(known):
                break
            drawn[known] = self.draw(len(known), rng)
        return drawn
