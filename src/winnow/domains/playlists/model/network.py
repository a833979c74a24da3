"""PlaylistGAT: playlists, tracks, artists and genres in one graph; a playlist is its last tracks, under attention."""

from collections.abc import Mapping

import numpy as np
import torch
from huggingface_hub import PyTorchModelHubMixin
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, normalize

from winnow.domains.playlists.model.convolutions import HeteroConvolution
from winnow.domains.playlists.params import Convolution
from winnow.learn.bounds import Count, Heads, Positive, Share
from winnow.recommend.convolutions import OWN, BipartiteConvolution
from winnow.recommend.sparse import BothWays, product

INITIAL_STD = 0.1
SLOPE = 0.2
"""Of the leaky rectifier in attention, as in the paper (Veličković et al. 2018)."""
GATE_DECAY, GATE_FLOOR = 5.0, 0.1
"""The gate starts at exp(-n / decay) + floor for the track n places from the end, item-kNN's recency."""
POPULARITY_STEPS = 16
"""Steps of `popularity_step`; the last one is for 32,768 playlists and more."""
UNKNOWN = -100.0
"""The score, next to which a cosine counts nothing, of tracks that no training playlist has."""
PARTS = ("indptr", "columns", "values", "column_indptr", "rows", "row_values")
"""Of a matrix of a batch: see `BothWays`."""
CHUNK = 4096
"""Tracks whose neighbours are summed at a time when all are; memory only."""


def popularity_step(playlists: NDArray[np.float32]) -> NDArray[np.int64]:
    """⌊log₂⌋ of the training playlists that have a track: 0 for one (or none), 1 for two or three, and so on."""
    return np.minimum(np.frexp(np.maximum(playlists, 1))[1].astype(np.int64) - 1, POPULARITY_STEPS - 1)


class PlaylistGAT(nn.Module, PyTorchModelHubMixin):
    """
    Scores every track for playlists given by their tracks.

    A track's plain vector is its own (tracks in few playlists have none), plus its artist's, which is the artist's own
    plus the mean of their genres'. Its full vector adds the weighted mean of the plain vectors of the tracks that share
    playlists with it (the edges of `playlists.weight`). A playlist has no parameter: multi-head attention (Veličković
    et al. 2018) over its last tracks, with a gate for each place counted from the end, makes its vector, so playlists
    never seen in training are completed like any other. A score is the cosine of the playlist's and the track's vector,
    plus what a track's popularity counts, by steps.
    """

    def __init__(
        self,
        *,
        tracks: int,
        embeddings: int,
        artists: int,
        genres: int,
        genres_per_artist: Count,
        neighbours: Count,
        embedding_dim: int,
        heads: Heads,
        history: Count,
        temperature: Positive,
        dropout: Share,
        without: list[str],
        convolution: Convolution,
    ) -> None:
        """All of the graph besides the numbers of its nodes is set by `tensors.build_model`.

        `without` names parts that the network does without: content_attention (its attention is that of the gates
        alone), query (the matrix from the playlist's sum to its vector), own_vectors, walk, genres or artists (which
        have the genres). With a `convolution` of torch_geometric that makes a playlist's vector of its tracks' and
        their mean; the gates weigh the tracks before. `HeteroConv` and `HGTConv` add the tracks' artists and genres.
        """
        super().__init__()
        self.without = frozenset(without)
        self.convolution: BipartiteConvolution | HeteroConvolution | None = None
        if convolution == "HeteroConv" or convolution == "HGTConv":  # noqa: PLR1714 - mypy does not narrow by `in`
            sources = ["track"]
            if artists and "artists" not in without:
                sources += ["artist", "genre"] if genres and "genres" not in without else ["artist"]
            self.convolution = HeteroConvolution(convolution, sources, embedding_dim, heads)
        elif convolution != OWN:
            self.convolution = BipartiteConvolution(convolution, embedding_dim, heads)
        self.heads, self.history, self.temperature = heads, history, temperature
        self.track = nn.Parameter(torch.randn(embeddings, embedding_dim) * INITIAL_STD)
        self.artist = nn.Parameter(torch.randn(artists, embedding_dim) * INITIAL_STD)
        self.genre = nn.Parameter(torch.randn(genres, embedding_dim) * INITIAL_STD)
        self.propagation_weight = nn.Parameter(torch.ones(1))
        self.attention = nn.Parameter(torch.zeros(2, embedding_dim))
        places = torch.from_numpy(np.log(np.exp(-np.arange(history) / GATE_DECAY) + GATE_FLOOR).astype(np.float32))
        self.gate = nn.Parameter(places[:, None].repeat(1, heads))
        self.query = nn.Parameter(torch.eye(embedding_dim))
        self.popularity = nn.Parameter(torch.zeros(POPULARITY_STEPS))
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("step", torch.zeros(tracks, dtype=torch.int64))
        self.register_buffer("candidate", torch.zeros(tracks, dtype=torch.bool))
        self.register_buffer("own", torch.full((tracks,), -1))
        self.register_buffer("artist_of", torch.full((tracks,), -1))
        self.register_buffer("genre_of", torch.zeros(artists, genres_per_artist, dtype=torch.int64))
        self.register_buffer("genre_share", torch.zeros(artists, genres_per_artist))
        self.register_buffer("neighbour", torch.zeros(tracks, neighbours, dtype=torch.int32))
        self.register_buffer("neighbour_weight", torch.zeros(tracks, neighbours))
        self.step: Tensor
        """(tracks,): each track's `popularity_step`"""
        self.candidate: Tensor
        """(tracks,): whether some training playlist has the track; the others are never recommended"""
        self.own: Tensor
        """(tracks,): the row of `track` that holds each track's own vector, or -1"""
        self.artist_of: Tensor
        """(tracks,), or -1"""
        self.genre_of: Tensor
        """(artists, genres per artist)"""
        self.genre_share: Tensor
        """(artists, genres per artist): 0 in empty places, else they sum to 1 for an artist"""
        self.neighbour: Tensor
        """(tracks, neighbours)"""
        self.neighbour_weight: Tensor
        """(tracks, neighbours): 0 in empty places, else they sum to 1 for a track"""

    def forward(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Unit vectors of the playlists of a batch (see `batches`), and of its targets and negatives, with their bias.

        A bias is one more dimension of a track; a playlist has 1 there.
        """
        own, artists = (BothWays(*(batch[f"{name}_{part}"] for part in PARTS)) for name in ("track", "artist"))
        sums = product(own, self._own()) + product(artists, self._artists(batch["artists"]))
        plain, near = self.dropout(sums).view(2, len(batch["track"]), -1)
        vectors = plain if "walk" in self.without else plain + self.propagation_weight * near
        given, targets = len(batch["place"]), len(batch["target_list"])
        lists, places = batch["inside"].shape
        padded = vectors.new_zeros(lists * places, vectors.shape[1]).index_copy(0, batch["place"], vectors[:given])
        tracks = batch["track"].new_full((lists * places,), -1).index_copy(0, batch["place"], batch["track"][:given])
        playlists = self.encode(padded.view(lists, places, -1), batch["inside"], tracks.view(lists, places))
        units = torch.cat([normalize(vectors[given:], dim=1), self.popularity[batch["step"]][:, None]], dim=1)
        playlists = torch.cat([playlists, playlists.new_ones(lists, 1)], dim=1)
        return playlists, units[:targets], units[targets:]

    def _own(self) -> Tensor:
        """The tracks' own vectors, (embeddings, dim)."""
        return torch.zeros_like(self.track) if "own_vectors" in self.without else self.track

    def _artists(self, artists: Tensor) -> Tensor:
        """The vectors (n, dim) of artists (n,): their own plus the mean of their genres'."""
        if "artists" in self.without:
            return self.artist.new_zeros(len(artists), self.artist.shape[1])
        return self.artist.index_select(0, artists) + self._genres(artists)

    def _genres(self, artists: Tensor) -> Tensor | float:
        """The mean of the artists' genres' vectors, by their shares."""
        if not len(self.genre) or "genres" in self.without:
            return 0.0
        each = self.genre.index_select(0, self.genre_of[artists].flatten()).view(*self.genre_of[artists].shape, -1)
        return (each * self.genre_share[artists][:, :, None]).sum(dim=1)

    def plain(self) -> Tensor:
        """The plain vectors of all tracks, (tracks, dim)."""
        vectors = self._own().index_select(0, self.own.clamp(min=0)) * (self.own >= 0)[:, None]
        if len(self.artist):
            artists = self._artists(torch.arange(len(self.artist), device=self.own.device))
            vectors = vectors + artists.index_select(0, self.artist_of.clamp(min=0)) * (self.artist_of >= 0)[:, None]
        return vectors

    def all_tracks(self) -> tuple[Tensor, Tensor]:
        """The plain and the full vectors of all tracks, (tracks, dim) each."""
        plain = self.plain()
        rows = torch.arange(len(plain), device=plain.device)
        return plain, torch.cat([self.full(plain, some) for some in torch.split(rows, CHUNK)])

    def full(self, plain: Tensor, rows: Tensor) -> Tensor:
        """The full vectors of some tracks, (rows, dim), from the plain ones of all."""
        if "walk" in self.without:
            return plain[rows]
        return plain[rows] + self.propagation_weight * self._neighbours(plain, rows)

    def track_bias(self) -> Tensor:
        """The part of a track's score that is the same for all playlists, (tracks,).

        A track that no training playlist has comes last: the tables list it only because some playlist holds it out, so
        that to recommend it would be to know what is hidden.
        """
        return torch.where(self.candidate, self.popularity[self.step], UNKNOWN)

    def _neighbours(self, plain: Tensor, rows: Tensor) -> Tensor:
        near = self.neighbour[rows]
        vectors = plain.index_select(0, near.flatten().long()).view(*near.shape, -1)
        return torch.einsum("rn,rnd->rd", self.neighbour_weight[rows], vectors)

    def encode(self, given: Tensor, inside: Tensor, tracks: Tensor) -> Tensor:
        """
        Unit vectors (playlists, dim) of playlists whose tracks have the full vectors `given` (playlists, places, dim).

        Place 0 is the last track; `inside` (playlists, places) is False where there is no track (`given` is 0 there).
        The numbers of the `tracks` (playlists, places) count where the convolution reads their artists and genres.
        """
        if self.convolution is not None:
            return self.project(self.convolve(given, inside, tracks))
        strength = self.attend(given, inside)
        parts = given.view(*given.shape[:2], self.heads, -1)
        summed = (strength[..., None] * parts).sum(dim=1).flatten(1)
        return self.project(summed)

    def project(self, summed: Tensor) -> Tensor:
        """Unit vectors (playlists, dim) of playlists whose tracks sum to `summed` under attention."""
        return normalize(summed if "query" in self.without else summed @ self.query, dim=1)

    def convolve(self, given: Tensor, inside: Tensor, tracks: Tensor) -> Tensor:
        """What the convolution makes of the gated tracks and of their mean, (playlists, dim)."""
        assert self.convolution is not None
        counts = inside.sum(dim=1)
        gate = self.gate[: given.shape[1]].expand(len(given), -1, -1).masked_fill(~inside[:, :, None], -torch.inf)
        weight = torch.softmax(gate, dim=1) * counts[:, None, None]  # 1 for all while the gates are equal
        gated = (given.view(*given.shape[:2], self.heads, -1) * weight[..., None]).flatten(2)
        mean = given.sum(dim=1) / counts[:, None].clamp(min=1)
        owner, place = inside.nonzero(as_tuple=True)
        edges = torch.stack([torch.arange(len(owner), device=owner.device), owner])
        if isinstance(self.convolution, HeteroConvolution):
            around = {"track": (gated[owner, place], edges)} | self._around(tracks[owner, place], owner)
            return self.convolution(mean, around)  # type: ignore[no-any-return]
        found: Tensor = self.convolution(gated[owner, place], mean, edges)
        return found

    def _around(self, tracks: Tensor, owner: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """The artists' and the genres' own vectors, with an edge to the playlist `owner` (n,) of each track (n,)."""
        artist = self.artist_of[tracks]
        owner, artist = owner[artist >= 0], artist[artist >= 0]
        artists, place = torch.unique(artist, return_inverse=True)
        row, column = self.genre_share[artist].nonzero(as_tuple=True)
        return {
            "artist": (self.artist.index_select(0, artists), torch.stack([place, owner])),
            "genre": (self.genre, torch.stack([self.genre_of[artist][row, column], owner[row]])),
        }

    def attend(self, given: Tensor, inside: Tensor) -> Tensor:
        """The attention to each track, which sums to 1 over a playlist: (playlists, places, heads)."""
        gate = self.gate[: given.shape[1]]
        if "content_attention" in self.without:
            logits = gate.expand(len(given), -1, -1)
            return torch.softmax(logits.masked_fill(~inside[:, :, None], -torch.inf), dim=1)
        mean = given.sum(dim=1) / inside.sum(dim=1, keepdim=True).clamp(min=1)
        content = (given * self.attention[0]).view(*given.shape[:2], self.heads, -1).sum(dim=3)
        common = (mean * self.attention[1]).view(len(mean), self.heads, -1).sum(dim=2)
        logits = leaky_relu(content + common[:, None], SLOPE) + gate
        return torch.softmax(logits.masked_fill(~inside[:, :, None], -torch.inf), dim=1)


def encode_lists(model: PlaylistGAT, vectors: Tensor, given: Tensor) -> Tensor:
    """Unit vectors of playlists whose last tracks are `given` (playlists, places), -1 where there are fewer."""
    inside = given >= 0
    padded = vectors.index_select(0, given.clamp(min=0).flatten()).view(*given.shape, -1) * inside[:, :, None]
    return model.encode(padded, inside, given)
