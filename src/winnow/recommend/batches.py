"""Batches of users with some of their items hidden from the graph, and negatives."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from winnow.learn.samplers import BatchShare, EpochSampler
from winnow.recommend.graph import Graph
from winnow.recommend.negatives import NegativeSampler


class UserLoader:
    """Batches of whole users, as many as have `batch_size` interactions on average.

    A share of the items of every user of a batch is hidden from the graph and to be ranked high: users are scored by
    the items that are left, as they are at test time. Otherwise the network would learn to find items that the
    user's vector is made of.
    """

    def __init__(
        self,
        graph: Graph,
        weights: NDArray[np.float32],
        negatives: NegativeSampler,
        share: BatchShare,
        *,
        shared_negatives: int,
        hidden_share: float,
    ) -> None:
        """`weights` (edges,) of the interactions in the loss; `shared_negatives` are drawn for a whole batch."""
        self.indptr, self.item = graph.indptr.numpy(), graph.item.numpy()
        self.active = np.flatnonzero(np.diff(self.indptr) > 1)
        self.weights, self.hidden_share = weights, hidden_share
        self.negatives, self.count = negatives, shared_negatives
        mean = len(self.item) / max(1, len(self.active))
        users = max(1, round(share.batch_size / mean / share.pieces)) * share.pieces
        self.sampler = EpochSampler(
            len(self.active), BatchShare(users, share.gradient_accumulation_steps, share.processes, share.rank)
        )

    def batch(self, seed: int, index: int) -> dict[str, Tensor]:
        users = np.sort(self.active[self.sampler.batch(seed, index)])
        return self.of_users(users, np.random.default_rng((seed, index, self.sampler.share.rank)))

    def of_users(self, users: NDArray[np.int64], rng: np.random.Generator) -> dict[str, Tensor]:
        """
        The tensors of a batch of these users.

        ids (users,); keep (edges,): 0 for hidden edges; row, item, weight, negative (hidden,): the place in `ids` of
        the user whose item is hidden, the item, its interaction's weight, and an item the user does not have; shared
        (candidates,): distinct items that are negatives for all, with log_prob of being among them; known (2, …):
        (row, place in shared) of those that a user of the batch has.
        """
        sizes = self.indptr[users + 1] - self.indptr[users]
        row = np.repeat(np.arange(len(users)), sizes)
        edges = np.concatenate([np.arange(self.indptr[user], self.indptr[user + 1]) for user in users])
        hidden = self._hide(row, sizes, rng)
        keep = np.ones(len(self.item), dtype=np.float32)
        keep[edges[hidden]] = 0
        shared, log_prob = self.negatives.draw_shared(self.count, rng)
        item = self.item[edges]
        place = np.minimum(np.searchsorted(shared, item), len(shared) - 1)
        inside = shared[place] == item
        values = {
            "ids": users,
            "keep": keep,
            "row": row[hidden],
            "item": item[hidden],
            "weight": self.weights[edges[hidden]],
            "negative": self.negatives.draw_unknown(users[row[hidden]], rng),
            "shared": shared,
            "log_prob": log_prob,
            "known": np.stack([row[inside], place[inside]]),
        }
        return {name: torch.from_numpy(value) for name, value in values.items()}

    def _hide(self, row: NDArray[np.int64], sizes: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.bool_]:
        """Which of the users' edges are hidden: at least one of each user's, and one is left."""
        order = np.lexsort((rng.random(len(row)), row))
        place = np.empty(len(row), dtype=np.int64)
        place[order] = np.arange(len(row)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        hide = np.clip(rng.binomial(sizes, self.hidden_share), 1, sizes - 1)
        hidden: NDArray[np.bool_] = place < hide[row]
        return hidden
