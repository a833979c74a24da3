"""Small playlists, their graph and a network on it, which the tests of playlists share."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch

from winnow.domains.playlists.model.batches import PlaylistLoader, TrackGraph
from winnow.domains.playlists.model.network import PlaylistGAT
from winnow.domains.playlists.model.sequences import Sequences, sequences_from
from winnow.domains.playlists.model.tensors import build_model, track_graph
from winnow.domains.playlists.params import Network, Weight
from winnow.domains.playlists.rules.weights import track_edges, weigh_tracks
from winnow.learn.samplers import BatchShare

TRACKS, PLAYLISTS, ARTISTS = 30, 20, 7
WEIGHT = Weight(negatives="popularity", popularity_exponent=0.75, min_playlists=2, neighbours=TRACKS - 1, shrink=1.5)
ARTIST_OF = np.arange(TRACKS) % (ARTISTS + 1) - 1
GENRES = pd.DataFrame({"artist_index": [0, 0, 2, 5], "genre_index": [0, 2, 1, 1], "share": [0.7, 0.3, 1.0, 1.0]})


def sequences(seed: int = 0) -> Sequences:
    """Random playlists of 2 to 12 tracks; track 29 is in none."""
    rng = np.random.default_rng(seed)
    lists = [rng.permutation(TRACKS - 1)[: rng.integers(2, 13)] for _ in range(PLAYLISTS)]
    return sequences_from(lists, TRACKS)


def tables(given: Sequences) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`Sampling` and `TrackEdges` of the playlists."""
    graph = pd.DataFrame(
        {"playlist_index": np.repeat(np.arange(len(given)), given.lengths()), "track_index": given.track}
    )
    sampling = weigh_tracks(TRACKS, graph, WEIGHT)
    return sampling, pd.concat(track_edges(graph, sampling, WEIGHT), ignore_index=True)


def graph(given: Sequences) -> TrackGraph:
    sampling, edges = tables(given)
    settings = pd.DataFrame({"neighbours": [WEIGHT.neighbours], "shrink": [WEIGHT.shrink]})
    return track_graph(pd.DataFrame({"artist_index": ARTIST_OF}), edges, sampling, settings)


def loader(given: Sequences, loss: str = "sampled_softmax", history: int = 6, **changes: float) -> PlaylistLoader:
    sampling, _ = tables(given)
    options = {"negatives": 12, "targets": 3, "min_context_share": 0.0} | changes
    share = BatchShare(8, 1, 1, 0)
    return PlaylistLoader(
        given, graph(given), sampling["probability"].to_numpy(), share, loss=loss, history=history, **options
    )  # type: ignore[arg-type]


def network(
    given: Sequences,
    *,
    genres: bool = True,
    heads: int = 2,
    history: int = 6,
    convolution: str = "own",
    without: Iterable[str] = (),
) -> PlaylistGAT:
    """A network without zeros in its parameters."""
    torch.manual_seed(3)
    sizes = {"embedding_dim": 8, "heads": heads, "history": history, "temperature": 0.2, "dropout": 0.0}
    options = Network.model_validate(sizes | {"without": [*without], "convolution": convolution})
    model = build_model(options, graph(given), GENRES if genres else GENRES[:0], ARTISTS)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.5)
    return model.eval()


def dense(batch: Mapping[str, Any], name: str) -> tuple[np.ndarray, np.ndarray]:
    """A matrix of a batch, and what is there as its transpose; entries of the same place are added."""
    found = []
    for indptr, columns, values, others in (("indptr", "columns", "values", "column_indptr"), TRANSPOSED):
        row, width = np.diff(batch[f"{name}_{indptr}"]), len(batch[f"{name}_{others}"]) - 1
        table = np.zeros((len(row), width))
        np.add.at(table, (np.repeat(np.arange(len(row)), row), batch[f"{name}_{columns}"]), batch[f"{name}_{values}"])
        found.append(table)
    return found[0], found[1]


TRANSPOSED = ("column_indptr", "rows", "row_values", "indptr")


def edges(batch: Mapping[str, Any], graph: TrackGraph) -> np.ndarray:
    """The weights of the neighbours, all of which have a vector of their own, of a batch's tracks, (rows, tracks)."""
    own, _ = dense(batch, "track")
    rows = len(batch["track"])
    np.testing.assert_array_equal(own[:rows].sum(axis=1), graph.own[np.asarray(batch["track"])] >= 0)
    table = np.zeros((rows, TRACKS))
    table[:, graph.own >= 0] = own[rows:]
    return table
