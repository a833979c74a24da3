"""
Why a song is recommended, told by the network itself.

A user's vector is the sum of her songs' vectors under attention, so what each song did for a score can be asked: it is
computed again without the song, whose attention goes to the others. For a genre it is the score without the genre's
part of the recommended song; what that part does by way of the walks (a few per cent of it) is left out.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from winnow.domains.sessions.model.graph import Graph, build_graph
from winnow.domains.sessions.model.network import GraphRecommender
from winnow.domains.sessions.model.ranking import Ranking
from winnow.domains.sessions.params import Evaluate


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
        self.model, self.graph, self.types, self.songs, self.plain = model, graph, types, songs, plain
        self.users = model.user_vectors(model.flow(graph, plain), songs, types)
        self._without: tuple[int, Tensor] = -1, songs[:0]

    def reasons(self, user: int, song: int) -> list[Reason]:
        """All reasons, the one with the largest effect first."""
        own = self.graph.song[int(self.graph.starts[user]) : int(self.graph.starts[user + 1])]
        effects = (self.users[user] - self.without_each(user, own)) @ self.songs[song]
        found = [Reason("song", *pair) for pair in zip(own.tolist(), effects.tolist(), strict=True)]
        if self.model.genre is not None:
            share = self.model.genre_share[song]
            parts = self.model.genre_weight * share[:, None] * self.model.genre
            told = torch.nonzero(share)[:, 0].tolist()
            found += [Reason("genre", genre, float(self.users[user] @ parts[genre])) for genre in told]
        return sorted(found, key=lambda reason: (-reason.effect, reason.kind, reason.index))

    def without_each(self, user: int, own: Tensor) -> Tensor:
        """The user's vector without one of her songs, for each of them: (her songs, dim)."""
        if self._without[0] != user:
            count = len(own)
            others = torch.arange(count).repeat(count, 1)[~torch.eye(count, dtype=torch.bool)]
            copies = np.repeat(np.arange(count), count - 1)
            graph = build_graph(copies, own[others].numpy(), (count, self.graph.songs), self.graph.listeners)
            flow = self.model.flow(graph, self.plain)
            vectors = self.model.user_vectors(flow, self.songs, self.types[user].expand(count))
            self._without = user, vectors
        return self._without[1]


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
) -> list[tuple[str, bool]]:
    """For each (user, song), by truly taking reasons away: whether the first-named one lowers the score more than a
    random other, and its kind before that.
    """
    held = []
    for user, song in recommended:
        reasons = explainer.reasons(user, song)
        if len(reasons) < 2:
            continue
        other = reasons[int(rng.integers(1, len(reasons)))]
        scores = [
            score_without(model, explainer.graph, explainer.types, user, song, reason) for reason in (reasons[0], other)
        ]
        held.append((reasons[0].kind, scores[0] < scores[1]))
    return held


def explain(
    explainer: Explainer, ranked: Ranking, tables: dict[str, pd.DataFrame], params: Evaluate, rng: np.random.Generator
) -> pd.DataFrame:
    """The columns of `Reasons`, for some users drawn at random."""
    users, songs = tables["users"], tables["songs"]
    genre_names = tables["genres"].drop_duplicates("genre_index").set_index("genre_index")["genre"]
    rows = []
    for place in np.sort(rng.permutation(len(ranked.users))[: params.explained_users]):
        user = int(ranked.users[place])
        for position, song in enumerate(ranked.lists[place][: params.explained_songs].tolist(), 1):
            bias = float(explainer.model.song_bias()[song])
            score = float(explainer.users[user] @ explainer.songs[song]) + bias
            for reason in explainer.reasons(user, song)[: params.reasons]:
                told = songs["title"].iloc[reason.index] if reason.kind == "song" else genre_names[reason.index]
                rows.append(
                    {
                        "user": users["user"].iloc[user],
                        "user_type": users["user_type"].iloc[user],
                        "place": position,
                        "song": songs["song"].iloc[song],
                        "title": songs["title"].iloc[song],
                        "found": bool(ranked.hits[place, position - 1]),
                        "score": score,
                        "kind": reason.kind,
                        "reason": told,
                        "effect": reason.effect,
                    }
                )
    texts = ("user", "user_type", "song", "title", "kind", "reason")
    return pd.DataFrame(rows).astype(dict.fromkeys(texts, "str"))
