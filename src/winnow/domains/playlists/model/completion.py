"""Scores of all tracks for playlists given by their tracks: the network's, and where it is blended item-kNN's."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor
from torch.nn.functional import normalize

from winnow.domains.playlists.model.network import PlaylistGAT, encode_lists
from winnow.domains.playlists.model.sequences import Sequences
from winnow.domains.playlists.params import Blend
from winnow.recommend.chances import Chances, fit_chances
from winnow.recommend.cooccurrence import SimilarItems, near_pairs, similar_items
from winnow.recommend.evaluation_set import EvaluationSet
from winnow.recommend.explanations import Reason
from winnow.recommend.groups import group_shares, relative_popularity
from winnow.recommend.products import add_transposed, dense_product
from winnow.recommend.ranking import Scorer, rank_by, rank_metrics

CHOSEN_AT = 10
"""K of the validation Recall@K that chooses a blend's weight."""
CHANCES_AT = 100
"""Places of the validation lists to which chances are fitted."""


@dataclass(frozen=True)
class Neighbourhood:
    """item-kNN with recency, as it is blended: the mean similarity to a playlist's tracks, the last counting most.

    With an artist weight the share of a track's artist among them is added, times its popularity over that of the
    artist's most popular track; with a genre weight how much of them is of its artist's genres.
    """

    weight: float
    """its weight relative to the network's cosine"""
    decay: float
    floor: float
    artist_weight: float
    genre_weight: float
    similar: sparse.csr_matrix
    """(tracks, tracks): column t has the similarities of the tracks nearest to t"""
    artist: NDArray[np.int64]
    """(tracks,), -1 without one"""
    popularity: NDArray[np.float32]
    """(tracks,): training playlists that have the track"""
    genres: sparse.csr_matrix
    """(tracks, genres): the shares of the artist's genres"""

    @cached_property
    def of_artist(self) -> NDArray[np.float32]:
        """(tracks,): what the share of a track's artist counts."""
        return relative_popularity(self.popularity, self.artist, self.artist_weight)

    @cached_property
    def artists(self) -> Callable[[sparse.csr_matrix], sparse.csr_matrix]:
        """What the shares of the tracks' artists add."""
        return group_shares(self.artist, self.of_artist)

    def alone(self) -> "Neighbourhood":
        """The same with weight 1: a recommender without the network."""
        return replace(self, weight=1.0)

    def without(self, track: int, reason: Reason) -> "Neighbourhood":
        """The same for a track whose artist or genre is not known."""
        if reason.kind == "artist":
            artist = self.artist.copy()
            artist[track] = -1
            return replace(self, artist=artist)
        genres = self.genres.tolil()
        genres[track, reason.index] = 0
        return replace(self, genres=genres.tocsr())

    def scores(self, given: Sequences, playlists: NDArray[np.int64]) -> NDArray[np.float32]:
        """(playlists, tracks), 0 to `weight` and what the artist adds."""
        known = given.some(playlists).recency_matrix(self.decay, self.floor)
        total = np.maximum(np.asarray(known.sum(axis=1)), 1e-9).ravel()
        scale = (self.weight / total).astype(np.float32)
        found = dense_product(sparse.diags(scale) @ known, self.similar)
        if self.artist_weight:
            near = self.artists(known)
            row = np.repeat(np.arange(len(playlists)), np.diff(near.indptr))
            found[row, near.indices] += near.data * scale[row]
        if self.genre_weight:
            of_genres = (known @ self.genres).toarray() * (self.genre_weight * scale / total)[:, None]
            add_transposed(found, self.genres @ of_genres.astype(np.float32).T)
        return found


class Completer:
    """A trained network over its graph; `blend` None: the network alone."""

    def __init__(self, model: PlaylistGAT, blend: Neighbourhood | None) -> None:
        self.model, self.blend = model, blend
        self.plain, self.vectors = model.all_tracks()
        self.units = normalize(self.vectors, dim=1)
        self.bias = model.track_bias()
        self._transposed = self.units.T.contiguous()

    def scores(self, given: Sequences, playlists: NDArray[np.int64]) -> Tensor:
        """Scores of all tracks for some of the playlists `given`, (playlists, tracks)."""
        last = torch.from_numpy(given.last(playlists, self.model.history)).to(self.units.device)
        scores = torch.addmm(self.bias, encode_lists(self.model, self.vectors, last), self._transposed)
        if self.blend is not None:
            scores += torch.from_numpy(self.blend.scores(given, playlists)).to(scores.device)
        return scores

    def without_blend(self) -> "Completer":
        """The same network alone."""
        alone = copy.copy(self)
        alone.blend = None
        return alone

    def scorer(self, given: Sequences) -> Scorer:
        """The scores of playlists by their numbers in `given`, as `rank_by` takes them."""
        return lambda playlists: self.scores(given, playlists)


def genres_of_tracks(artist: NDArray[np.int64], genre_edges: pd.DataFrame) -> sparse.csr_matrix:
    """(tracks, genres): the shares of the genres of each track's `artist` (tracks,), from `GenreEdges`."""
    edges = genre_edges["artist_index"].to_numpy(), genre_edges["genre_index"].to_numpy()
    shape = int(artist.max(initial=-1)) + 2, int(genre_edges["genre_index"].max()) + 1 if len(genre_edges) else 0
    of_artist = sparse.csr_matrix((genre_edges["share"].to_numpy(dtype=np.float32), edges), shape=shape)
    return of_artist[artist].tocsr()  # -1, no artist, is the last row, which is empty


def similar_tracks(sequences: Sequences, params: Blend) -> sparse.csr_matrix:
    """(tracks, tracks) of a `Neighbourhood`; with `params.distance` tracks count as together by how near they stand."""
    train = sequences.matrix()
    if params.distance is None:
        return similar_items(train, neighbours=params.neighbours, shrink=params.shrink).T.tocsr()
    together = near_pairs(sequences.indptr, sequences.track, sequences.tracks, params.distance)
    users = np.asarray(train.sum(axis=0)).ravel()
    return SimilarItems(together, users, params.neighbours)(params.neighbours, params.shrink)


def choose_blend(
    model: PlaylistGAT,
    sequences: Sequences,
    val: EvaluationSet,
    genre_edges: pd.DataFrame,
    params: Blend,
    block: int,
) -> tuple[Neighbourhood, Chances]:
    """item-kNN with the weight that finds most validation tracks, the first of equal ones; and what scores mean.

    With a weight of 0 the network is used alone. `genre_edges` is `GenreEdges`.
    """
    artist = model.artist_of.cpu().numpy()
    genres = genres_of_tracks(artist, genre_edges)
    popularity = np.asarray(sequences.matrix().sum(axis=0), dtype=np.float32).ravel()
    near = Neighbourhood(
        0.0,
        params.decay,
        params.floor,
        params.artist_weight,
        params.genre_weight,
        similar_tracks(sequences, params),
        artist,
        popularity,
        genres,
    )
    completer = Completer(model, None)
    recalls, ranked = [], []
    for weight in params.weights:
        completer.blend = replace(near, weight=weight) if weight else None
        ranked.append(rank_by(completer.scorer(sequences), val, places=CHANCES_AT, block=block))
        recalls.append(rank_metrics(ranked[-1], [CHOSEN_AT])[f"recall_at_{CHOSEN_AT}"].mean())
    best = int(np.argmax(recalls))
    return replace(near, weight=params.weights[best]), fit_chances(ranked[best])
