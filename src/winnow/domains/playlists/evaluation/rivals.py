"""Recommenders that read a playlist's order, and what is known of its tracks: the model's rivals."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy import sparse

from winnow.domains.playlists.model.completion import genres_of_tracks
from winnow.domains.playlists.model.sequences import Sequences
from winnow.recommend.cooccurrence import ordered_pairs
from winnow.recommend.groups import group_shares, relative_popularity
from winnow.recommend.ranking import Scorer

Fitted = Callable[[Sequences], Scorer]
"""A fitted recommender: the scores of playlists by the tracks that are known of them."""


@dataclass(frozen=True)
class About:
    """What is known of the tracks."""

    artist: NDArray[np.int64]
    """(tracks,), -1 without one"""
    genres: sparse.csr_matrix
    """(tracks, genres): the shares of the artist's genres, which sum to 1"""
    popularity: NDArray[np.float32]
    """(tracks,): training playlists"""


def about_tracks(tracks: pd.DataFrame, genre_edges: pd.DataFrame, popularity: NDArray[np.int64]) -> About:
    """From `Tracks`, `GenreEdges` and the training playlists of each track."""
    artist = tracks["artist_index"].to_numpy(dtype=np.int64)
    return About(artist, genres_of_tracks(artist, genre_edges), popularity.astype(np.float32))


def item_knn(
    similar: sparse.csr_matrix,
    about: About,
    *,
    decay: float | None = None,
    floor: float = 0.0,
    artist_weight: float = 0.0,
    genre_weight: float = 0.0,
) -> Fitted:
    """
    Item-based kNN (Deshpande and Karypis 2004) by `similar` (tracks, tracks), whose column t has t's neighbours.

    With a `decay` a track n places from the end counts exp(-n / decay) + floor. To a track's score are added the share
    of its artist in the playlist times `artist_weight` and its popularity over that of the artist's most popular track,
    and `genre_weight` times how much of the playlist is of its artist's genres.
    """
    artists = group_shares(about.artist, relative_popularity(about.popularity, about.artist, artist_weight))

    def fitted(given: Sequences) -> Scorer:
        def scores(playlists: NDArray[np.int64]) -> torch.Tensor:
            own = given.some(playlists)
            known = own.matrix() if decay is None else own.recency_matrix(decay, floor)
            found = (known @ similar + artists(known) if artist_weight else known @ similar).toarray()
            if genre_weight:
                total = np.maximum(np.asarray(known.sum(axis=1)), 1e-9)
                found += (genre_weight * (known @ about.genres).toarray() / total) @ about.genres.T
            return torch.from_numpy(np.asarray(found, dtype=np.float32))

        return scores

    return fitted


def stan(train: Sequences, *, lists: int, decay: float, spread: float) -> Fitted:
    """
    STAN, sequence- and time-aware kNN over whole lists (Garg, Gupta, Malhotra, Vig and Shroff 2019), without times.

    A training playlist is as near as Σ exp(-n / decay) over the known tracks it has, n places from the end, over the
    root of its length. Of the nearest `lists` each gives its nearness, times exp(-distance / spread), to the tracks
    `distance` places from the last known track that it has. With a large spread this is V-SKNN (Ludewig and Jannach
    2018).
    """
    member = train.matrix()
    by_track = member.T.tocsr()
    root = np.sqrt(np.maximum(train.lengths(), 1))

    def one(tracks: NDArray[np.int64]) -> NDArray[np.float32]:
        weight = np.zeros(train.tracks, dtype=np.float32)
        weight[tracks] = np.exp(-np.arange(len(tracks))[::-1] / decay)
        near = np.asarray(weight[tracks] @ by_track[tracks]).ravel() / root
        best = np.argsort(-near, kind="stable")[:lists]
        best = best[near[best] > 0]
        if not len(best):
            return np.zeros(train.tracks, dtype=np.float32)
        some = train.some(best)
        owner = np.repeat(np.arange(len(best)), some.lengths())
        known = weight[some.track]
        # the place of the last known track of each, by its weight: a later one weighs more
        order = np.lexsort((known, owner))
        last = order[np.cumsum(some.lengths()) - 1]
        apart = np.abs(np.arange(len(owner)) - last[owner])
        gain = near[best][owner] * np.exp(-apart / spread)
        return np.bincount(some.track, weights=gain, minlength=train.tracks).astype(np.float32)

    def fitted(given: Sequences) -> Scorer:
        def scores(playlists: NDArray[np.int64]) -> torch.Tensor:
            each = [given.track[given.indptr[number] : given.indptr[number + 1]] for number in playlists]
            return torch.from_numpy(np.stack([one(tracks) for tracks in each]))

        return scores

    return fitted


def sequential_rules(train: Sequences, *, reach: int) -> Fitted:
    """Sequential rules (Kamehkhosh, Jannach and Ludewig 2017): what came after the last track, by 1 / places apart."""
    rules = ordered_pairs(train.indptr, train.track, train.tracks, lambda apart: 1 / apart, reach)

    def fitted(given: Sequences) -> Scorer:
        def scores(playlists: NDArray[np.int64]) -> torch.Tensor:
            last = given.last(playlists, 1)[:, 0]
            found = rules[np.maximum(last, 0)].toarray()
            found[last < 0] = 0
            return torch.from_numpy(np.asarray(found, dtype=np.float32))

        return scores

    return fitted
