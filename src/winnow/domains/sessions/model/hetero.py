"""The graph of users, songs and genres as torch_geometric's `HeteroData`."""

from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import Tensor

if TYPE_CHECKING:
    from torch_geometric.data import HeteroData


def hetero_data(
    splits: pd.DataFrame, interactions: pd.DataFrame, genres: pd.DataFrame, *, users: int, songs: int
) -> "HeteroData":
    """
    From `Splits`, `InteractionWeights`, `Genres` and the numbers of nodes; no held-out edge is in it.

    The edges are (user, likes, song) with its `weight` and (song, of, genre) with its `share`, and each one's reverse.
    """
    from torch_geometric.data import HeteroData  # noqa: PLC0415 - seconds that only this needs
    from torch_geometric.transforms import ToUndirected  # noqa: PLC0415

    train = splits.loc[splits["split"] == "train", ["user_index", "song_index"]].merge(
        interactions[["user_index", "song_index", "weight"]], on=["user_index", "song_index"], how="left"
    )
    data = HeteroData()
    data["user"].num_nodes, data["song"].num_nodes = users, songs
    data["genre"].num_nodes = int(genres["genre_index"].max()) + 1 if len(genres) else 0
    likes, of = data["user", "likes", "song"], data["song", "of", "genre"]
    likes.edge_index = _edges(train, "user_index", "song_index")
    likes.weight = torch.tensor(train["weight"].to_numpy(dtype="float32"))
    of.edge_index = _edges(genres, "song_index", "genre_index")
    of.share = torch.tensor(genres["share"].to_numpy(dtype="float32"))
    both: HeteroData = ToUndirected(merge=False)(data)
    return both


def _edges(table: pd.DataFrame, source: str, target: str) -> Tensor:
    return torch.stack([torch.tensor(table[name].to_numpy()) for name in (source, target)])
