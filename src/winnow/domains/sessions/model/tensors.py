"""From tables to what the network takes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from winnow.domains.sessions import definitions
from winnow.domains.sessions.model.graph import Graph, build_graph
from winnow.domains.sessions.model.network import GraphRecommender
from winnow.domains.sessions.params import Network
from winnow.pipeline.errors import TrainingError


@dataclass(frozen=True)
class Held:
    """The songs to be found for some users: their graph, and what is not to be recommended."""

    graph: Graph
    """of all users, what they are known by"""
    types: Tensor
    users: NDArray[np.int64]
    """(rows,): the users that have something to find"""
    hidden: list[NDArray[np.int64]]
    """of each row, the songs to be found, sorted"""
    known: list[NDArray[np.int64]]
    """of each row, the songs never recommended, sorted"""


def user_types(types: pd.DataFrame) -> Tensor:
    """(users,): the index of each user's type, from `UserTypes`."""
    return torch.tensor(types["user_type"].map(definitions.USER_TYPES.index).to_numpy(dtype=np.int64))


def graph_of(pairs: pd.DataFrame, shape: tuple[int, int], listeners: Tensor | None = None) -> Graph:
    """The graph of a table with user_index and song_index."""
    return build_graph(pairs["user_index"].to_numpy(), pairs["song_index"].to_numpy(), shape, listeners)


def songs_by_user(pairs: pd.DataFrame, users: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The songs of each of the users, sorted."""
    ordered = pairs.sort_values(["user_index", "song_index"])
    owner, song = ordered["user_index"].to_numpy(), ordered["song_index"].to_numpy()
    starts, ends = np.searchsorted(owner, users), np.searchsorted(owner, users, side="right")
    return [song[start:end] for start, end in zip(starts, ends, strict=True)]


def held_out(graph: Graph, types: Tensor, *, hidden: pd.DataFrame, known: pd.DataFrame) -> Held:
    """Users with rows in `hidden`, to be ranked without what stands in `known`."""
    users = np.unique(hidden["user_index"].to_numpy())
    return Held(graph, types, users, songs_by_user(hidden, users), songs_by_user(known, users))


def build_model(
    network: Network, kind: str, listeners: NDArray[np.int64], genres: pd.DataFrame, sides: list[str]
) -> GraphRecommender:
    """A new network for songs with these training listeners; raises TrainingError without what it needs."""
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
        sides=sides,
    )
    model.own.copy_(torch.from_numpy(own))
    if has_genres:
        song, genre = (torch.tensor(genres[name].to_numpy()) for name in ("song_index", "genre_index"))
        model.genre_share[song, genre] = torch.tensor(genres["share"].to_numpy(dtype=np.float32))
    return model
