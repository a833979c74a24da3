"""
Batches of playlists, each cut at a random place: what comes next is to be found from what came before.

A step needs no pass over the whole graph: the loader gathers the edges of the tracks that a batch has (the given ones,
those to find, and the negatives) to their neighbours and to the artists. From these edges it takes out what the
playlist's tracks to find contribute, as if they were not in the playlist: such a track shares one playlist less with
each of the playlist's tracks.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from winnow.domains.playlists.model.network import PARTS, popularity_step
from winnow.domains.playlists.model.sequences import Sequences
from winnow.learn.samplers import BatchShare, EpochSampler
from winnow.recommend.cooccurrence import edge_weights
from winnow.recommend.graph import Graph, build_graph
from winnow.recommend.negatives import NegativeSampler


@dataclass(frozen=True)
class TrackGraph:
    """The edges from tracks to tracks and to artists, and in how many training playlists each track is."""

    neighbour: NDArray[np.int64]
    """(tracks, neighbours); -1 in empty places"""
    together: NDArray[np.float32]
    """(tracks, neighbours): training playlists that have both"""
    weight: NDArray[np.float32]
    """(tracks, neighbours): they sum to 1 for a track; 0 in empty places"""
    playlists: NDArray[np.float32]
    """(tracks,)"""
    artist: NDArray[np.int64]
    """(tracks,); -1 without an artist"""
    own: NDArray[np.int64]
    """(tracks,): the row of the network's vectors that holds each track's own; -1 without one"""
    shrink: float
    """of the edges' weights"""


class PlaylistLoader:
    """Batches of playlists that have two training tracks or more."""

    def __init__(
        self,
        sequences: Sequences,
        graph: TrackGraph,
        probability: NDArray[np.float64],
        share: BatchShare,
        *,
        loss: str,
        negatives: int,
        targets: int,
        min_context_share: float,
        history: int,
    ) -> None:
        """`probability` (tracks,) of being drawn as a negative; the `targets` tracks after the cut are to be found."""
        self.sequences, self.graph = sequences, graph
        self.shared = negatives if loss == "sampled_softmax" else 0
        self.targets, self.min_context_share, self.history = targets, min_context_share, history
        self.active = np.flatnonzero(sequences.lengths() > 1)
        self.known = _known(sequences)
        self.negatives = NegativeSampler(probability, self.known)
        self.sampler = EpochSampler(len(self.active), share)
        self.embeddings, self.artists = int(graph.own.max()) + 1, int(graph.artist.max()) + 1

    def batch(self, seed: int, index: int) -> dict[str, Tensor]:
        playlists = np.sort(self.active[self.sampler.batch(seed, index)])
        return self.of_playlists(playlists, np.random.default_rng((seed, index, self.sampler.share.rank)))

    def of_playlists(self, playlists: NDArray[np.int64], rng: np.random.Generator) -> dict[str, Tensor]:
        """
        The tensors of a batch of these playlists, each cut at random.

        ids (playlists,); track (rows,): the given tracks, the targets and the negatives, one after another. Of each
        track's sum of plain vectors (see `PlaylistGAT.forward`) the own vectors' weights are the matrix track_indptr …
        (2 · rows, embeddings), and the artists' artist_indptr … (2 · rows, artists), for the artists (artists,). inside
        (playlists, history) and place (given,): where the given tracks go; target_list (targets,): the playlist of each
        target, and step (targets + negatives,): their popularity steps without it. With shared negatives log_prob
        (negatives,) and known (2, …): (playlist, negative) of tracks that a playlist has; else there is a negative for
        each target.
        """
        start = self.sequences.indptr[playlists]
        lengths = self.sequences.indptr[playlists + 1] - start
        earliest = np.clip(np.ceil(self.min_context_share * lengths).astype(np.int64), 1, lengths - 1)
        cut = rng.integers(earliest, lengths)
        before, after = np.minimum(cut, self.history), np.minimum(lengths - cut, self.targets)
        given_list, back = _runs(before)
        target_list, ahead = _runs(after)
        given = self.sequences.track[(start + cut)[given_list] - 1 - back]
        target = self.sequences.track[(start + cut)[target_list] + ahead]
        hidden = np.full((len(playlists), self.targets), -2, dtype=np.int64)
        hidden[target_list, ahead] = target
        values: dict[str, NDArray[np.generic]] = {}
        if self.shared:
            negative, values["log_prob"] = self.negatives.draw_shared(self.shared, rng)
            values["known"] = self._known_negatives(playlists, negative)
        else:
            negative = self.negatives.draw_unknown(playlists[target_list], rng)
        rows = np.concatenate([given, target, negative])
        near, weights = self.graph.neighbour[rows], self.graph.weight[rows]
        own = slice(0, len(given))
        weights[own] = self._weights_of_given(given, hidden[given_list], near[own])
        own = slice(len(given), len(given) + len(target))
        weights[own] = self._weights_of_targets(target, playlists[target_list], hidden[target_list], near[own])
        inside = np.arange(self.history) < before[:, None]
        values |= {
            "ids": playlists,
            "track": rows,
            "inside": inside,
            "place": given_list * self.history + back,
            "target_list": target_list,
            "step": popularity_step(np.append(self.graph.playlists[target] - 1, self.graph.playlists[negative])),
            **self._edges(rows, near, weights),
        }
        return {name: torch.from_numpy(value) for name, value in values.items()}

    def _weights_of_given(
        self, track: NDArray[np.int64], hidden: NDArray[np.int64], near: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Weights of the edges from given tracks, whose playlist does not have the tracks `hidden` (rows, targets)."""
        gone = _among(near, hidden)
        counts = self.graph.playlists
        return edge_weights(
            self.graph.together[track] - gone, counts[track][:, None], counts[near] - gone, self.graph.shrink
        )

    def _weights_of_targets(
        self, track: NDArray[np.int64], playlist: NDArray[np.int64], hidden: NDArray[np.int64], near: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Weights of the edges from tracks to find, without those to their playlist."""
        shared = self._has(playlist[:, None], near)
        counts = self.graph.playlists
        return edge_weights(
            self.graph.together[track] - shared,
            counts[track][:, None] - 1,
            counts[near] - _among(near, hidden),
            self.graph.shrink,
        )

    def _has(self, playlist: NDArray[np.int64], track: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the playlist has the track in training."""
        pairs, sought = self.negatives.pairs, playlist * self.sequences.tracks + track
        found: NDArray[np.bool_] = pairs[np.minimum(np.searchsorted(pairs, sought), len(pairs) - 1)] == sought
        return found & (track >= 0)

    def _known_negatives(self, playlists: NDArray[np.int64], negative: NDArray[np.int64]) -> NDArray[np.int64]:
        own = [self.known.items_of(int(playlist)).numpy() for playlist in playlists]
        row = np.repeat(np.arange(len(own)), [len(each) for each in own])
        item = np.concatenate(own)
        place = np.minimum(np.searchsorted(negative, item), len(negative) - 1)
        inside = negative[place] == item
        return np.stack([row[inside], place[inside]])

    def _edges(
        self, rows: NDArray[np.int64], near: NDArray[np.int64], weights: NDArray[np.float32]
    ) -> dict[str, NDArray[np.generic]]:
        """Each row's track, then each row's neighbours, as weights of own vectors and of artists."""
        used = weights > 0
        track = np.append(rows, near[used])
        value = np.append(np.ones(len(rows), dtype=np.float32), weights[used])
        indptr = np.append(np.arange(len(rows)), len(rows) + np.append(0, np.cumsum(used.sum(axis=1))))
        artist = self.graph.artist[track]
        touched = np.zeros(self.artists + 1, dtype=bool)
        touched[artist] = True
        touched[-1] = False  # where those without one are
        artists = np.flatnonzero(touched)
        place = np.where(touched, np.cumsum(touched) - 1, -1)
        return {
            "artists": artists,
            **_both_ways("track", indptr, self.graph.own[track], value, self.embeddings),
            **_both_ways("artist", indptr, place[artist], value, len(artists)),
        }


def _both_ways(
    name: str, indptr: NDArray[np.int64], column: NDArray[np.int64], value: NDArray[np.float32], columns: int
) -> dict[str, NDArray[np.generic]]:
    """The parts of a matrix (len(indptr) - 1, columns) and of its transpose (`PARTS`); a column -1 is left out."""
    inside = column >= 0
    indptr = np.append(0, np.cumsum(inside))[indptr]
    matrix = sparse.csr_matrix((value[inside], column[inside], indptr), (len(indptr) - 1, columns))
    transposed = matrix.T.tocsr()
    parts = [each for one in (matrix, transposed) for each in (one.indptr, one.indices, one.data)]
    return {f"{name}_{part}": each for part, each in zip(PARTS, parts, strict=True)}


def _known(sequences: Sequences) -> Graph:
    """Which playlist has which tracks."""
    playlist = np.repeat(np.arange(len(sequences)), sequences.lengths())
    return build_graph((playlist, sequences.track), (len(sequences), sequences.tracks))


def _runs(lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For lists of these lengths, one after another: the list of each element, and its place in it."""
    owner = np.repeat(np.arange(len(lengths)), lengths)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def _among(near: NDArray[np.int64], hidden: NDArray[np.int64]) -> NDArray[np.float32]:
    """1 where a neighbour (rows, neighbours) is among the row's hidden tracks (rows, targets), else 0."""
    found = np.zeros(near.shape, dtype=bool)
    for column in hidden.T:
        found |= near == column[:, None]
    return found.astype(np.float32)
