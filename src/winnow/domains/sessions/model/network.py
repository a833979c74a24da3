"""The graph attention networks: a user is the songs they listened to, weighted by attention."""

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn
from torch.nn.functional import normalize

from winnow.domains.sessions import definitions
from winnow.learn.bounds import Heads, Layers, Positive, Share, Weight
from winnow.recommend.convolutions import OWN, BipartiteConvolution
from winnow.recommend.graph import Graph
from winnow.recommend.propagation import (
    EdgeWeights,
    attention_strength,
    average,
    to_items,
    to_users,
    user_sums,
    weigh_edges,
)
from winnow.recommend.settings import Convolution

INITIAL_STD = 0.1


class GraphRecommender(nn.Module, PyTorchModelHubMixin):
    """
    Scores every song for every user of a graph.

    A song's vector is its embedding (songs with few listeners have none) plus, with genres, the mean of its genres'
    vectors; walks song → listeners → songs add the vectors of its neighbours. A user has no embedding: their vector is
    the sum of their songs' vectors under multi-head attention (Veličković et al. 2018), whose weights start at
    LightGCN's (He et al. 2020), so that users never seen in training are scored like any other. A score is the user's
    unit vector over the temperature, times the song's vector, plus the song's bias.
    """

    def __init__(
        self,
        *,
        songs: int,
        embeddings: int,
        genres: int,
        embedding_dim: int,
        heads: Heads,
        layers: Layers,
        learned_attention: bool,
        temperature: Positive,
        dropout: Share,
        genre_weight: Weight,
        splits: list[str],
        convolution: Convolution,
    ) -> None:
        """With a `convolution` of torch_geometric that makes a user's vector of their songs' and the songs' mean.

        `genres` is 0 for a model without genres and user types (`gat`); its graph are the `splits`.
        """
        super().__init__()
        self.splits = splits
        self.convolution = None if convolution == OWN else BipartiteConvolution(convolution, embedding_dim, heads)
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
        """(songs, genres): shares of the genres of each song"""

    def forward(self, graph: Graph, types: Tensor, keep: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Vectors of users (users, dim) and songs (songs, dim) and the songs' bias (songs,).

        `types` (users,) are indices of user types, -1 (the mean of all) where unknown; `keep` (edges,) is 0 where an
        edge is hidden.
        """
        plain = self.plain_songs()
        weights = self.edge_weights(graph, plain, keep)
        songs = self.propagate(weights, plain)
        return self.user_vectors(weights, songs, types), songs, self.song_bias()

    def plain_songs(self) -> Tensor:
        """Songs before any walk, (songs, dim): embedding plus genres."""
        plain = self.song.new_zeros(len(self.genre_share), self.song.shape[1]).index_copy(0, self.own, self.song)
        if self.genre is not None:
            plain = plain + self.genre_weight * self.genre_share @ self.genre
        dropped: Tensor = self.dropout(plain)
        return dropped

    def song_bias(self) -> Tensor:
        """The part of a song's score that is the same for all users, (songs,)."""
        return self.common_bias.repeat(len(self.genre_share)).index_copy(0, self.own, self.bias)

    def edge_weights(self, graph: Graph, plain: Tensor, keep: Tensor | None = None) -> EdgeWeights:
        """How much each edge weighs, from the songs before any walk.

        A user's attention sums to 1 over their songs that are not hidden; times √songs of the user / √listeners of the
        song it equals LightGCN's weight while the attention is uniform.
        """
        keep = graph.inv_sqrt_degree.new_ones(len(graph.item)) if keep is None else keep
        strength = keep[:, None] if self.attention is None else self.attend(graph, plain, keep)
        return weigh_edges(graph, strength, user_sums(graph, keep[:, None])[:, 0])

    def attend(self, graph: Graph, plain: Tensor, keep: Tensor) -> Tensor:
        """Unnormalised attention of each user to each of their songs, (edges, heads).

        It depends on the song's vector and on the mean of the user's songs.
        """
        assert self.attention is not None
        of_song, of_user = ((plain * vector).view(graph.items, self.heads, -1).sum(dim=2) for vector in self.attention)
        return attention_strength(graph, of_song, average(graph, of_user, keep), keep)

    def propagate(self, weights: EdgeWeights, plain: Tensor) -> Tensor:
        """Songs plus their neighbours, (songs, dim)."""
        songs = step = plain
        for _ in range(self.layers - 1):
            step = to_items(weights, to_users(weights, step))
            songs = songs + step
        return songs

    def user_vectors(self, weights: EdgeWeights, songs: Tensor, types: Tensor) -> Tensor:
        """Users of length 1 / temperature, (users, dim)."""
        users = to_users(weights, songs) if self.convolution is None else self.convolve(weights, songs)
        if self.user_type is not None:
            known = torch.cat([self.user_type, self.user_type.mean(dim=0, keepdim=True)])
            users = normalize(users, dim=1) + known[types]  # the same share of it for few songs as for many
        return normalize(users, dim=1) / self.temperature

    def convolve(self, weights: EdgeWeights, songs: Tensor) -> Tensor:
        """What the convolution makes of the songs that are not hidden and of their mean, (users, dim).

        Songs come in scaled by 1 / √listeners, as to LightGCN's users and to those of `own`.
        """
        assert self.convolution is not None
        graph = weights.graph
        scaled = songs * graph.inv_sqrt_degree[:, None]
        there = weights.strength.detach()[:, 0] > 0
        edges = torch.stack([graph.item[there], graph.user[there]])
        count = torch.bincount(edges[1], minlength=graph.users).clamp(min=1)
        mean = scaled.new_zeros(graph.users, scaled.shape[1]).index_add(0, edges[1], scaled[edges[0]]) / count[:, None]
        found: Tensor = self.convolution(scaled, mean, edges)
        return found
