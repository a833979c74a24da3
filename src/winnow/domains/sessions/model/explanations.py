"""
Why a song is recommended, computed by the recommender itself.

A user's vector is the sum of their songs' vectors under attention, so the effect of a song is the difference from the
score computed again without it, its attention going to the other songs; a graph filter's part is linear in the songs.
The effect of a genre is the score without the genre's part of the recommended song's vector; its part by way of the
walks (a few per cent of it) is left out.
"""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from winnow.domains.sessions.model.network import GraphRecommender
from winnow.domains.sessions.params import Evaluate
from winnow.recommend.explanations import Reason, leave_one_out, sort_reasons
from winnow.recommend.filters import Blend, blended
from winnow.recommend.graph import Graph, matrix_of
from winnow.recommend.ranking import Ranking, dot_scorer


class SongExplainer:
    """The reasons of recommendations to the users of a graph: their songs, and the song's genres."""

    def __init__(
        self,
        model: GraphRecommender,
        graph: Graph,
        types: Tensor,
        songs: Tensor,
        plain: Tensor,
        blend: Blend | None = None,
    ) -> None:
        """`graph` has the users to explain; `songs` and `plain` are the song vectors of the training graph."""
        self.model, self.graph, self.types, self.songs, self.plain = model, graph, types, songs, plain
        self.blend, self.known = blend, matrix_of(graph)
        weights = model.edge_weights(graph, plain)
        self.users = model.user_vectors(weights, songs, types)
        self.attention = (weights.strength * weights.share[graph.user]).mean(dim=1) * graph.inv_sqrt_degree[graph.item]
        """(edges,): how much each of a user's songs weighs in the user's vector"""
        self.network = dot_scorer(self.users, songs, model.song_bias())
        """scores of the users by the network alone"""
        self.scores = blended(self.network, blend, self.known)
        self._without: tuple[int, Tensor] = -1, songs[:0]
        self._blended: tuple[int, Tensor] = -1, songs[:0]

    def score(self, user: int, item: int) -> float:
        """The score of a song."""
        return float(self.scores(np.array([user]))[0, item])

    def by_attention(self, user: int, reasons: list[Reason]) -> list[Reason]:
        """The songs among a user's reasons, those with most attention (the mean over heads) first."""
        strength = self.attention[int(self.graph.indptr[user]) : int(self.graph.indptr[user + 1])]
        weight = dict(zip(self.graph.items_of(user).tolist(), strength.tolist(), strict=True))
        songs = [reason for reason in reasons if reason.kind == "song"]
        return sorted(songs, key=lambda reason: (-weight[reason.index], reason.index))

    def reasons(self, user: int, item: int) -> list[Reason]:
        """All reasons for recommending song `item`, the one with the largest effect first."""
        own = self.graph.items_of(user)
        effects = (self.users[user] - self._without_each(user)) @ self.songs[item]
        if self.blend is not None:
            effects = effects + self._blended_effects(user, self.blend)[:, item]
        found = [Reason("song", *pair) for pair in zip(own.tolist(), effects.tolist(), strict=True)]
        if self.model.genre is not None:
            share = self.model.genre_share[item]
            parts = self.model.genre_weight * share[:, None] * self.model.genre
            found += [
                Reason("genre", genre, float(self.users[user] @ parts[genre]))
                for genre in torch.nonzero(share)[:, 0].tolist()
            ]
        return sort_reasons(found)

    def _without_each(self, user: int) -> Tensor:
        """The user's vector without one of their songs, for each of them: (songs of the user, dim)."""
        if self._without[0] != user:
            graph = leave_one_out(self.graph, user)
            weights = self.model.edge_weights(graph, self.plain)
            types = self.types[user].expand(graph.users)
            self._without = user, self.model.user_vectors(weights, self.songs, types)
        return self._without[1]

    def _blended_effects(self, user: int, blend: Blend) -> Tensor:
        """By how much the filter's scores fall without each of the user's songs: (songs of the user, songs)."""
        if self._blended[0] != user:
            effects = torch.from_numpy(blend.effects(self.graph.items_of(user).cpu().numpy()))
            self._blended = user, effects.to(self.songs.device)
        return self._blended[1]

    def score_without(self, user: int, item: int, reason: Reason) -> float:
        """The score of song `item` with the reason removed: the edge from the graph, or the genre from the song."""
        keep = torch.ones(len(self.graph.item), device=self.graph.item.device)
        share = self.model.genre_share[item].clone()
        if reason.kind == "song":
            keep[int(self.graph.indptr[user]) + int(torch.searchsorted(self.graph.items_of(user), reason.index))] = 0
        else:
            self.model.genre_share[item, reason.index] = 0
        users, songs, bias = self.model(self.graph, self.types, keep)
        self.model.genre_share[item] = share
        score = float(users[user] @ songs[item] + bias[item])
        if self.blend is None:
            return score
        known = self.known[[user]]
        if reason.kind == "song":
            known = known.multiply(np.arange(known.shape[1]) != reason.index).tocsr()
        return score + float(self.blend.scores(known)[0, item])


def explain(
    explainer: SongExplainer,
    ranked: Ranking,
    tables: dict[str, pd.DataFrame],
    params: Evaluate,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """The `Reasons` table of some users drawn at random."""
    users, songs = tables["users"], tables["songs"]
    genre_names = tables["genres"].drop_duplicates("genre_index").set_index("genre_index")["genre"]
    rows = []
    for place in np.sort(rng.permutation(len(ranked.users))[: params.explained_users]):
        user = int(ranked.users[place])
        listed = ranked.lists[place][: params.explained_songs]
        scores = explainer.scores(np.array([user]))[0]
        for position, song in enumerate(listed[listed >= 0].tolist(), 1):
            for reason in explainer.reasons(user, song)[: params.reasons]:
                name = songs["title"].iloc[reason.index] if reason.kind == "song" else genre_names[reason.index]
                rows.append(
                    {
                        "user": users["user"].iloc[user],
                        "user_type": users["user_type"].iloc[user],
                        "place": position,
                        "song": songs["song"].iloc[song],
                        "title": songs["title"].iloc[song],
                        "found": bool(ranked.hits[place, position - 1]),
                        "score": float(scores[song]),
                        "kind": reason.kind,
                        "reason": name,
                        "effect": reason.effect,
                    }
                )
    texts = ("user", "user_type", "song", "title", "kind", "reason")
    return pd.DataFrame(rows).astype(dict.fromkeys(texts, "str"))
