"""The graph attention networks: a user is what she listened to, weighed by attention."""

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn
from torch.nn.functional import normalize

from winnow.domains.sessions import definitions
from winnow.domains.sessions.model.graph import Graph
from winnow.domains.sessions.model.propagation import (
    Flow,
    attention_strength,
    average,
    make_flow,
    to_songs,
    to_users,
    user_sums,
)

INITIAL_STD = 0.1


class GraphRecommender(nn.Module, PyTorchModelHubMixin):
    """
    Scores every song for every user of a graph.

    A song's vector is its embedding (songs of few listeners have none) and, with genres, the mean of its genres'
    vectors; walks song → listeners → songs add what its neighbours are. A user has no embedding: her vector is the sum
    of her songs' vectors under multi-head attention (Veličković et al. 2018), whose weights start at LightGCN's
    (He et al. 2020). So users never seen in training are scored like any other. A score is the cosine of the user's
    side, divided by the temperature, times the song's length, plus how popular the song is for all.
    """

    def __init__(
        self,
        *,
        songs: int,
        embeddings: int,
        genres: int,
        embedding_dim: int,
        heads: int,
        layers: int,
        learned_attention: bool,
        temperature: float,
        dropout: float,
        genre_weight: float,
        sides: list[str],
    ) -> None:
        """`genres` is 0 for a model without genres and user types (`gat`); `sides` of the split are its graph."""
        super().__init__()
        self.sides = sides
        self.layers, self.heads, self.temperature, self.genre_weight = layers, heads, temperature, genre_weight
        self.song = nn.Parameter(torch.randn(embeddings, embedding_dim) * INITIAL_STD)
        self.bias = nn.Parameter(torch.zeros(embeddings))
        self.common_bias = nn.Parameter(torch.zeros(1))
        self.dropout = nn.Dropout(dropout)
        self.attention = nn.Parameter(torch.zeros(2, embedding_dim)) if learned_attention else None
        self.genre = nn.Parameter(torch.randn(genres, embedding_dim) * INITIAL_STD) if genres else None
        self.user_type = nn.Parameter(torch.zeros(len(definitions.USER_TYPES), embedding_dim)) if genres else None
        self.register_buffer("own", torch.arange(embeddings))
        self.register_buffer("genre_share", torch.zeros(songs, genres))
        self.own: Tensor
        """(embeddings,): the songs that have an embedding and a bias of their own; the others share one bias"""
        self.genre_share: Tensor
        """(songs, genres): how much each genre is of a song"""

    def forward(self, graph: Graph, types: Tensor, keep: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Vectors of users (users, dim) and songs (songs, dim) and the songs' bias (songs,).

        `types` (users,) are indices of user types, -1 where unknown; `keep` (edges,) is 0 for edges that are hidden.
        """
        plain = self.plain_songs()
        flow = self.flow(graph, plain, keep)
        songs = self.walk(flow, plain)
        return self.user_vectors(flow, songs, types), songs, self.song_bias()

    def plain_songs(self) -> Tensor:
        """Songs before any walk, (songs, dim): embedding and genres."""
        plain = self.song.new_zeros(len(self.genre_share), self.song.shape[1]).index_copy(0, self.own, self.song)
        if self.genre is not None:
            plain = plain + self.genre_weight * self.genre_share @ self.genre
        dropped: Tensor = self.dropout(plain)
        return dropped

    def song_bias(self) -> Tensor:
        """How popular each song is for all, (songs,)."""
        return self.common_bias.repeat(len(self.genre_share)).index_copy(0, self.own, self.bias)

    def flow(self, graph: Graph, plain: Tensor, keep: Tensor | None = None) -> Flow:
        """What each edge counts, from the songs before any walk.

        A user's attention sums to 1 over her songs that are not hidden; times √songs of the user / √listeners of the
        song it is LightGCN's weight while the attention is even.
        """
        keep = graph.rarity.new_ones(len(graph.song)) if keep is None else keep
        strength = keep[:, None] if self.attention is None else self.attend(graph, plain, keep)
        return make_flow(graph, strength, user_sums(graph, keep[:, None])[:, 0])

    def attend(self, graph: Graph, plain: Tensor, keep: Tensor) -> Tensor:
        """Attention of each user to each of her songs before it is made to sum to 1, (edges, heads).

        It looks at what the song is, and at what she is on average.
        """
        assert self.attention is not None
        own, asked = ((plain * vector).view(graph.songs, self.heads, -1).sum(dim=2) for vector in self.attention)
        return attention_strength(graph, own, average(graph, asked, keep), keep)

    def walk(self, flow: Flow, plain: Tensor) -> Tensor:
        """Songs with what their neighbours are, (songs, dim)."""
        songs = step = plain
        for _ in range(self.layers - 1):
            step = to_songs(flow, to_users(flow, step))
            songs = songs + step
        return songs

    def user_vectors(self, flow: Flow, songs: Tensor, types: Tensor) -> Tensor:
        """Users of length 1 / temperature, (users, dim)."""
        users = to_users(flow, songs)
        if self.user_type is not None:
            known = torch.cat([self.user_type, self.user_type.mean(dim=0, keepdim=True)])
            users = normalize(users, dim=1) + known[types]  # as much of it for few songs as for many
        return normalize(users, dim=1) / self.temperature
