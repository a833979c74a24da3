"""
Why a song is recommended, told by the network itself.

A user's vector is the sum of her songs' vectors under attention, so what each song did for a score is known exactly:
the score is computed again without it, its attention shared out among the others. For a genre it is the score
without the genre's part of the recommended song.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from winnow.domains.sessions.model.graph import Graph
from winnow.domains.sessions.model.network import GraphRecommender


@dataclass(frozen=True)
class Reason:
    kind: str
    """song or genre"""
    index: int
    """song_index or genre_index"""
    effect: float
    """by how much the score falls without it"""


class Explainer:
    """The network's state over a graph, from which every reason is told."""

    def __init__(self, model: GraphRecommender, graph: Graph, types: Tensor, songs: Tensor, plain: Tensor) -> None:
        """`graph` holds the users to explain; `songs` and `plain` are the song vectors of the training graph."""
        self.model, self.graph, self.types, self.songs = model, graph, types, songs
        self.values = model.edge_values(graph, plain)
        self.shares = model.attention_shares(graph, plain) if model.attention is not None else None
        self.users = model.user_vectors(graph, self.values, songs, types)

    def reasons(self, user: int, song: int) -> list[Reason]:
        """All reasons, the one with the largest effect first."""
        edges = slice(int(self.graph.starts[user]), int(self.graph.starts[user + 1]))
        effects = self.song_effects(user, song, edges)
        found = [
            Reason("song", int(own), float(effect)) for own, effect in zip(self.graph.song[edges], effects, strict=True)
        ]
        if self.model.genre is not None:
            share = self.model.genre_share[song]
            parts = self.model.genre_weight * share[:, None] * self.model.genre
            told = torch.nonzero(share)[:, 0].tolist()
            found += [Reason("genre", genre, float(self.users[user] @ parts[genre])) for genre in told]
        return sorted(found, key=lambda reason: (-reason.effect, reason.kind, reason.index))

    def song_effects(self, user: int, song: int, edges: slice) -> Tensor:
        """How far the score falls without each of the user's songs, (her songs,)."""
        model, count = self.model, edges.stop - edges.start
        own = self.songs[self.graph.song[edges]]
        values = self.values[edges].reshape(count, -1)
        dims = own.shape[1] // values.shape[1]
        parts = own * values.repeat_interleave(dims, dim=1)
        others = parts.sum(dim=0) - parts
        if self.shares is not None:
            left = (1 - self.shares[edges]).clamp_min(1e-6)
            others = others / left.repeat_interleave(dims, dim=1) * np.sqrt((count - 1) / count)
        if model.user_type is not None:
            known = torch.cat([model.user_type, model.user_type.mean(dim=0, keepdim=True)])
            others = others + known[self.types[user]]
        without = normalize(others, dim=1) / model.temperature
        target = self.songs[song]
        return self.users[user] @ target - without @ target


def score_without(model: GraphRecommender, graph: Graph, types: Tensor, user: int, song: int, reason: Reason) -> float:
    """The score with the reason truly taken away: the edge out of the graph, or the genre out of the song."""
    keep = torch.ones(len(graph.song))
    share = model.genre_share[song].clone()
    if reason.kind == "song":
        edge = int(graph.starts[user]) + int(
            torch.searchsorted(graph.song[int(graph.starts[user]) : int(graph.starts[user + 1])], reason.index)
        )
        keep[edge] = 0
    else:
        model.genre_share[song, reason.index] = 0
    users, songs, bias = model(graph, types, keep)
    model.genre_share[song] = share
    return float(users[user] @ songs[song] + bias[song])


def first_reasons_hold(
    model: GraphRecommender, explainer: Explainer, recommended: list[tuple[int, int]], rng: np.random.Generator
) -> list[bool]:
    """For each (user, song): whether taking away the first-named reason lowers the score more than a random other."""
    held = []
    for user, song in recommended:
        reasons = explainer.reasons(user, song)
        if len(reasons) < 2:
            continue
        other = reasons[int(rng.integers(1, len(reasons)))]
        scores = [
            score_without(model, explainer.graph, explainer.types, user, song, reason) for reason in (reasons[0], other)
        ]
        held.append(scores[0] < scores[1])
    return held
