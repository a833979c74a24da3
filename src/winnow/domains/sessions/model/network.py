"""The graph attention networks: a user is what she listened to, weighed by attention."""

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, normalize

from winnow.domains.sessions import nouns
from winnow.domains.sessions.model.graph import Graph
from winnow.domains.sessions.model.propagation import to_songs, to_users, user_sums

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
        self.bias = nn.Parameter(torch.zeros(embeddings + 1))
        self.dropout = nn.Dropout(dropout)
        self.attention = nn.Parameter(torch.zeros(2, embedding_dim)) if learned_attention else None
        self.genre = nn.Parameter(torch.randn(genres, embedding_dim) * INITIAL_STD) if genres else None
        self.user_type = nn.Parameter(torch.zeros(len(nouns.USER_TYPES), embedding_dim)) if genres else None
        self.register_buffer("row", torch.full((songs,), embeddings, dtype=torch.int64))
        self.register_buffer("genre_share", torch.zeros(songs, genres))
        self.row: Tensor
        """(songs,): each song's row in `song`; the number of rows for those that have none and share one bias"""
        self.genre_share: Tensor
        """(songs, genres): how much each genre is of a song"""

    def forward(self, graph: Graph, types: Tensor, keep: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Vectors of users (users, dim) and songs (songs, dim) and the songs' bias (songs,).

        `types` (users,) are indices of user types, -1 where unknown; `keep` (edges,) is 0 for edges that are hidden.
        """
        plain = self.plain_songs()
        values = self.edge_values(graph, plain, keep)
        songs = self.walk(graph, values, plain)
        return self.user_vectors(graph, values, songs, types), songs, self.song_bias()

    def plain_songs(self) -> Tensor:
        """Songs before any walk, (songs, dim): embedding and genres."""
        known = torch.cat([self.song, self.song.new_zeros(1, self.song.shape[1])])
        plain = known[self.row]
        if self.genre is not None:
            plain = plain + self.genre_weight * self.genre_share @ self.genre
        dropped: Tensor = self.dropout(plain)
        return dropped

    def song_bias(self) -> Tensor:
        return self.bias[self.row]

    def edge_values(self, graph: Graph, plain: Tensor, keep: Tensor | None = None) -> Tensor:
        """What each edge counts: (edges, heads), or (edges,) for LightGCN's fixed weights.

        A user's attention sums to 1 over her songs that are not hidden; times √songs of the user / √listeners of the
        song it is LightGCN's weight while the attention is even.
        """
        if self.attention is None:
            return graph.weights if keep is None else graph.weights * keep
        share = self.attention_shares(graph, plain, keep)
        songs_of_user = (graph.starts[1:] - graph.starts[:-1]).to(share.dtype)
        return share * (graph.weights * songs_of_user[graph.user])[:, None]

    def attention_shares(self, graph: Graph, plain: Tensor, keep: Tensor | None = None) -> Tensor:
        """Attention of each user over her songs, (edges, heads)."""
        assert self.attention is not None
        own, asked = ((plain * vector).view(graph.songs, self.heads, -1).sum(dim=2) for vector in self.attention)
        weights = graph.weights if keep is None else graph.weights * keep
        of_user = to_users(graph, weights, asked)
        logits = leaky_relu(own[graph.song] + of_user[graph.user], 0.2)
        strength = torch.exp(logits - logits.detach().amax())
        if keep is not None:
            strength = strength * keep[:, None]
        return strength / user_sums(graph, strength).clamp_min(1e-12)[graph.user]

    def walk(self, graph: Graph, values: Tensor, plain: Tensor) -> Tensor:
        """Songs with what their neighbours are, (songs, dim)."""
        songs = step = plain
        for _ in range(self.layers - 1):
            step = to_songs(graph, values, to_users(graph, values, step))
            songs = songs + step
        return songs

    def user_vectors(self, graph: Graph, values: Tensor, songs: Tensor, types: Tensor) -> Tensor:
        """Users of length 1 / temperature, (users, dim)."""
        users = to_users(graph, values, songs)
        if self.user_type is not None:
            known = torch.cat([self.user_type, self.user_type.mean(dim=0, keepdim=True)])
            users = users + known[types]
        return normalize(users, dim=1) / self.temperature
