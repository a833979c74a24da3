"""From tables to the network and its graph."""

import numpy as np
import pandas as pd
import torch

from winnow.domains.playlists.model.batches import TrackGraph
from winnow.domains.playlists.model.network import PlaylistGAT, popularity_step
from winnow.domains.playlists.params import Network


def track_graph(
    tracks: pd.DataFrame, edges: pd.DataFrame, sampling: pd.DataFrame, settings: pd.DataFrame
) -> TrackGraph:
    """The graph of `Tracks`, `TrackEdges`, `Sampling` and `EdgeSettings`."""
    shape = len(tracks), int(settings["neighbours"].iloc[0])
    place = edges["track_index"].to_numpy() * shape[1] + edges.groupby("track_index").cumcount().to_numpy()
    neighbour = np.full(shape, -1, dtype=np.int64)
    together, weight = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
    for table, name in ((neighbour, "neighbour"), (together, "together"), (weight, "weight")):
        np.put(table, place, edges[name].to_numpy())
    embedded = sampling["embedded"].to_numpy()
    return TrackGraph(
        neighbour,
        together,
        weight,
        sampling["playlists"].to_numpy(dtype=np.float32),
        tracks["artist_index"].to_numpy(dtype=np.int64),
        np.where(embedded, np.cumsum(embedded) - 1, -1),
        float(settings["shrink"].iloc[0]),
    )


def build_model(network: Network, graph: TrackGraph, genre_edges: pd.DataFrame, artists: int) -> PlaylistGAT:
    """A new network on the graph."""
    place = genre_edges.groupby("artist_index").cumcount().to_numpy()
    genres = int(genre_edges["genre_index"].max()) + 1 if len(genre_edges) else 0
    model = PlaylistGAT(
        tracks=len(graph.own),
        embeddings=int(graph.own.max()) + 1,
        artists=artists,
        genres=genres,
        genres_per_artist=int(place.max(initial=0)) + 1,
        neighbours=graph.neighbour.shape[1],
        embedding_dim=network.embedding_dim,
        heads=network.heads,
        history=network.history,
        temperature=network.temperature,
        dropout=network.dropout,
        without=list(network.without),
    )
    model.step.copy_(torch.from_numpy(popularity_step(graph.playlists)))
    model.candidate.copy_(torch.from_numpy(graph.playlists > 0))
    model.own.copy_(torch.from_numpy(graph.own))
    model.artist_of.copy_(torch.tensor(graph.artist))
    model.neighbour.copy_(torch.from_numpy(np.maximum(graph.neighbour, 0)))
    model.neighbour_weight.copy_(torch.from_numpy(graph.weight))
    places = torch.tensor(genre_edges["artist_index"].to_numpy()), torch.tensor(place)
    model.genre_of[places] = torch.tensor(genre_edges["genre_index"].to_numpy(dtype=np.int64))
    model.genre_share[places] = torch.tensor(genre_edges["share"].to_numpy(dtype=np.float32))
    return model
