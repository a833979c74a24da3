"""What a training step looks at: some users, the songs hidden from the graph for them, and negatives."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from winnow.domains.sessions.model.graph import Graph
from winnow.learn.samplers import BatchShare, EpochSampler

REDRAWS = 5


@dataclass(frozen=True)
class Negatives:
    """How negatives are drawn: `probability` (songs,) sums to 1; `count` are shared by a batch."""

    probability: NDArray[np.float64]
    count: int


class UserLoader:
    """Batches of whole users, as many as have `batch_size` interactions on average.

    Of every user of a batch a share of her songs is hidden from the graph and to be found: she is ranked by what is
    left, as she will be when it counts. Otherwise the network would learn to find a song that her vector is made of.
    """

    def __init__(
        self, graph: Graph, weights: NDArray[np.float32], negatives: Negatives, share: BatchShare, hidden_share: float
    ) -> None:
        self.starts, self.song = graph.starts.numpy(), graph.song.numpy()
        self.songs, self.pairs = graph.songs, graph.user.numpy() * graph.songs + self.song
        self.active = np.flatnonzero(np.diff(self.starts) > 1)
        self.weights, self.hidden_share = weights, hidden_share
        self.probability, self.count = negatives.probability, negatives.count
        self.heap = np.cumsum(negatives.probability)
        mean = len(self.song) / max(1, len(self.active))
        users = max(1, round(share.batch_size / mean / share.pieces)) * share.pieces
        self.sampler = EpochSampler(
            len(self.active), BatchShare(users, share.accumulation, share.processes, share.rank)
        )

    def batch(self, seed: int, index: int) -> dict[str, Tensor]:
        users = np.sort(self.active[self.sampler.batch(seed, index)])
        return self.of_users(users, np.random.default_rng((seed, index, self.sampler.share.rank)))

    def of_users(self, users: NDArray[np.int64], rng: np.random.Generator) -> dict[str, Tensor]:
        """
        Ids (users,); keep (edges,): 0 for hidden edges; row, song, weight, negative (hidden,): whose song is hidden,
        and one song she does not know; shared (candidates,): songs that are negatives for all, each once, with
        log_chance of being among them; known (2, …): (row, place in shared) of those that a user does know.
        """
        sizes = self.starts[users + 1] - self.starts[users]
        row = np.repeat(np.arange(len(users)), sizes)
        edges = np.concatenate([np.arange(self.starts[user], self.starts[user + 1]) for user in users])
        hidden = self._hide(row, sizes, rng)
        keep = np.ones(len(self.song), dtype=np.float32)
        keep[edges[hidden]] = 0
        shared = np.unique(self._draw(self.count, rng))
        chance = -np.expm1(self.count * np.log1p(-np.minimum(self.probability[shared], 1 - 1e-12)))
        song = self.song[edges]
        place = np.minimum(np.searchsorted(shared, song), len(shared) - 1)
        inside = shared[place] == song
        found = {
            "ids": users,
            "keep": keep,
            "row": row[hidden],
            "song": song[hidden],
            "weight": self.weights[edges[hidden]],
            "negative": self._unknown(users[row[hidden]], rng),
            "shared": shared,
            "log_chance": np.log(chance).astype(np.float32),
            "known": np.stack([row[inside], place[inside]]),
        }
        return {name: torch.from_numpy(value) for name, value in found.items()}

    def _hide(self, row: NDArray[np.int64], sizes: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.bool_]:
        """Which of the users' edges are hidden: of each at least one is, and one is left."""
        order = np.lexsort((rng.random(len(row)), row))
        place = np.empty(len(row), dtype=np.int64)
        place[order] = np.arange(len(row)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        hide = np.clip(rng.binomial(sizes, self.hidden_share), 1, sizes - 1)
        hidden: NDArray[np.bool_] = place < hide[row]
        return hidden

    def _draw(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        drawn = np.searchsorted(self.heap, rng.random(count) * self.heap[-1], side="right")
        songs: NDArray[np.int64] = np.minimum(drawn, len(self.heap) - 1).astype(np.int64)
        return songs

    def _unknown(self, users: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """For each user a song she does not know; a known one is drawn again, a few times."""
        drawn = self._draw(len(users), rng)
        for _ in range(REDRAWS):
            pairs = users * self.songs + drawn
            place = np.minimum(np.searchsorted(self.pairs, pairs), len(self.pairs) - 1)
            bad = np.flatnonzero(self.pairs[place] == pairs)
            if not len(bad):
                break
            drawn[bad] = self._draw(len(bad), rng)
        return drawn
