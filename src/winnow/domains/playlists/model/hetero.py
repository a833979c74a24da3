"""The graph of playlists, tracks, artists and genres as torch_geometric's `HeteroData`."""

from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import Tensor

if TYPE_CHECKING:
    from torch_geometric.data import HeteroData


def hetero_data(
    splits: pd.DataFrame,
    tracks: pd.DataFrame,
    genre_edges: pd.DataFrame,
    track_edges: pd.DataFrame,
    *,
    playlists: int,
    artists: int,
    genres: int,
) -> "HeteroData":
    """
    From `Splits`, `Tracks`, `GenreEdges`, `TrackEdges` and the numbers of the other nodes; no held-out edge is in it.

    The edges are (playlist, has, track) with its `position`, (track, near, track) with its `weight`, (track, by,
    artist) and (artist, of, genre) with its `share`, and each one's reverse. Nodes have no features: they are numbers.
    """
    from torch_geometric.data import HeteroData  # noqa: PLC0415 - seconds that only this needs
    from torch_geometric.transforms import ToUndirected  # noqa: PLC0415

    data = HeteroData()
    for name, count in (("playlist", playlists), ("track", len(tracks)), ("artist", artists), ("genre", genres)):
        data[name].num_nodes = count
    train = splits[splits["split"] == "train"].sort_values(["playlist_index", "position"])
    by = tracks[tracks["artist_index"] >= 0]
    has, near = data["playlist", "has", "track"], data["track", "near", "track"]
    has.edge_index, has.position = _edges(train, "playlist_index", "track_index"), _numbers(train, "position")
    near.edge_index = _edges(track_edges, "neighbour", "track_index")
    near.weight = _numbers(track_edges, "weight").float()
    data["track", "by", "artist"].edge_index = _edges(by, "track_index", "artist_index")
    of = data["artist", "of", "genre"]
    of.edge_index, of.share = _edges(genre_edges, "artist_index", "genre_index"), _numbers(genre_edges, "share").float()
    near_edges = data["track", "near", "track"].edge_index
    both: HeteroData = ToUndirected(merge=False)(data)
    assert both["track", "near", "track"].edge_index.equal(near_edges)
    return both


def _edges(table: pd.DataFrame, source: str, target: str) -> Tensor:
    return torch.stack([_numbers(table, source), _numbers(table, target)])


def _numbers(table: pd.DataFrame, name: str) -> Tensor:
    return torch.tensor(table[name].to_numpy())
