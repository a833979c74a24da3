"""Who listened to what, as a graph: users and songs, edges in compressed rows both ways."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Graph:
    """
    Edges user → song, sorted by user, then song; `by_song` sorts the same edges by song.

    For users folded in later, a song's rarity is that of the training graph, which the newcomers do not change.
    """

    users: int
    songs: int
    starts: Tensor
    """(users + 1,): where each user's edges begin"""
    song: Tensor
    """(edges,)"""
    user: Tensor
    """(edges,)"""
    song_starts: Tensor
    """(songs + 1,)"""
    by_song: Tensor
    """(edges,): numbers of the edges in the order of songs"""
    listener: Tensor
    """(edges,): the users in that order"""
    listeners: Tensor
    """(songs,)"""
    rarity: Tensor
    """(songs,): 1 / √listeners"""

    @property
    def shape(self) -> tuple[int, int]:
        return self.users, self.songs

    def to(self, device: torch.device) -> "Graph":
        """The same graph on a device; itself when it is there."""
        if self.song.device == device:
            return self
        moved = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return Graph(users=self.users, songs=self.songs, **moved)


def build_graph(
    users: NDArray[np.int64], songs: NDArray[np.int64], shape: tuple[int, int], listeners: Tensor | None = None
) -> Graph:
    """The graph of pairs (users[n], songs[n]), each pair once. `listeners` (songs,) replaces the graph's own count."""
    order = np.lexsort((songs, users))
    user, song = users[order], songs[order]
    by_song = np.argsort(song, kind="stable")
    degree = np.bincount(user, minlength=shape[0])
    own = np.bincount(song, minlength=shape[1])
    heard = own if listeners is None else listeners.numpy()
    return Graph(
        users=shape[0],
        songs=shape[1],
        starts=torch.from_numpy(np.append(0, np.cumsum(degree))),
        song=torch.from_numpy(song.astype(np.int64)),
        user=torch.from_numpy(user.astype(np.int64)),
        song_starts=torch.from_numpy(np.append(0, np.cumsum(own))),
        by_song=torch.from_numpy(by_song),
        listener=torch.from_numpy(user[by_song].astype(np.int64)),
        listeners=torch.from_numpy(heard.astype(np.int64)),
        rarity=torch.from_numpy((np.maximum(heard, 1) ** -0.5).astype(np.float32)),
    )
