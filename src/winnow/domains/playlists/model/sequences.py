"""The tracks of playlists in their order."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse


@dataclass(frozen=True)
class Sequences:
    """The tracks of all playlists, one after another; a playlist without any has none."""

    indptr: NDArray[np.int64]
    """(playlists + 1,)"""
    track: NDArray[np.int64]
    """(entries,)"""
    tracks: int
    """number of tracks there are"""

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self.indptr)

    def last(self, playlists: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        """(playlists, count): the last tracks of each, the last one first; -1 where there are fewer."""
        ends = self.indptr[playlists + 1]
        place = ends[:, None] - 1 - np.arange(count)
        inside = place >= self.indptr[playlists][:, None]
        return np.where(inside, self.track[np.where(inside, place, 0)], -1)

    def some(self, playlists: NDArray[np.int64]) -> "Sequences":
        """Those of some playlists, numbered anew in this order."""
        lengths = self.lengths()[playlists]
        indptr = np.append(0, np.cumsum(lengths))
        place = np.arange(indptr[-1]) + np.repeat(self.indptr[playlists] - indptr[:-1], lengths)
        return Sequences(indptr, self.track[place], self.tracks)

    def matrix(self) -> sparse.csr_matrix:
        """(playlists, tracks) of 0 and 1."""
        return self._matrix(np.ones(len(self.track), dtype=np.float32))

    def recency_matrix(self, decay: float, floor: float) -> sparse.csr_matrix:
        """(playlists, tracks): exp(-n / decay) + floor for the track n places from the end."""
        lengths = self.lengths()
        back = np.repeat(self.indptr[1:], lengths) - 1 - np.arange(len(self.track))
        return self._matrix((np.exp(-back / decay) + floor).astype(np.float32))

    def _matrix(self, values: NDArray[np.float32]) -> sparse.csr_matrix:
        matrix = sparse.csr_matrix((values, self.track, self.indptr), shape=(len(self), self.tracks))
        matrix.sort_indices()
        return matrix


def sequences_of(entries: pd.DataFrame, playlists: int, tracks: int) -> Sequences:
    """The sequences of a table with playlist_index, position and track_index, for playlists 0 … `playlists` - 1."""
    ordered = entries.sort_values(["playlist_index", "position"])
    counts = np.bincount(ordered["playlist_index"], minlength=playlists)
    return Sequences(np.append(0, np.cumsum(counts)), ordered["track_index"].to_numpy(dtype=np.int64), tracks)


def sequences_from(lists: list[NDArray[np.int64]], tracks: int) -> Sequences:
    """The sequences of lists of tracks."""
    lengths = [len(each) for each in lists]
    flat = np.concatenate([*lists, np.zeros(0, dtype=np.int64)]).astype(np.int64)
    return Sequences(np.append(0, np.cumsum(lengths)).astype(np.int64), flat, tracks)
