"""From tables to the network and its inputs."""

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from winnow.domains.sessions import definitions
from winnow.domains.sessions.model.network import GraphRecommender
from winnow.domains.sessions.params import Network
from winnow.pipeline.errors import TrainingError
from winnow.recommend.graph import Graph, Pairs, build_graph

UNKNOWN = -1
"""The index of an unknown user type."""


def type_indices(types: pd.DataFrame) -> Tensor:
    """(users,): the index of each user's type, from the column user_type; `UNKNOWN` where it is unknown."""
    indices = {kind: index for index, kind in enumerate(definitions.USER_TYPES)} | {definitions.UNKNOWN_TYPE: UNKNOWN}
    return torch.tensor(types["user_type"].map(indices).to_numpy(dtype=np.int64))


def pairs_of(table: pd.DataFrame) -> Pairs:
    """The columns user_index and song_index as arrays."""
    return table["user_index"].to_numpy(dtype=np.int64), table["song_index"].to_numpy(dtype=np.int64)


def graph_of(table: pd.DataFrame, shape: tuple[int, int]) -> Graph:
    """The graph of a table with user_index and song_index; `shape` is (users, songs)."""
    return build_graph(pairs_of(table), shape)


def build_model(
    network: Network, kind: str, listeners: NDArray[np.int64], genres: pd.DataFrame, splits: list[str]
) -> GraphRecommender:
    """A new network for songs with these (songs,) training listeners; raises TrainingError when it cannot be built."""
    has_genres = kind == "genre_gat"
    if has_genres and genres.empty:
        raise TrainingError(
            "no song has a genre, and genre_gat learns from genres", fix="set sessions.train.model: gat"
        )
    own = np.flatnonzero(listeners >= network.min_listeners)
    if not len(own):
        raise TrainingError(
            f"no song has {network.min_listeners} training listeners",
            fix="lower sessions.train.network.min_listeners, or use more data",
        )
    count = int(genres["genre_index"].max()) + 1 if has_genres else 0
    model = GraphRecommender(
        songs=len(listeners),
        embeddings=len(own),
        genres=count,
        embedding_dim=network.embedding_dim,
        heads=network.heads,
        layers=network.layers,
        learned_attention=network.attention == "learned",
        temperature=network.temperature,
        dropout=network.dropout,
        genre_weight=network.genre_weight,
        splits=splits,
        convolution=network.convolution,
    )
    model.own.copy_(torch.from_numpy(own))
    if has_genres:
        song, genre = (torch.tensor(genres[name].to_numpy()) for name in ("song_index", "genre_index"))
        model.genre_share[song, genre] = torch.tensor(genres["share"].to_numpy(dtype=np.float32))
    return model
