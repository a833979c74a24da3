"""The last tracks of every playlist held out, and the training graph without them; some playlists at a time."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.curate.leave_last_out import leave_last_out
from winnow.domains.playlists import definitions
from winnow.domains.playlists.params import Split
from winnow.pipeline.errors import LeakageError, TableError


def choose_playlists(numbers: NDArray[np.int64], most: int | None, rng: np.random.Generator) -> NDArray[np.int64]:
    """`most` of the playlists drawn at random, or all, in their order."""
    if most is None or most >= len(numbers):
        return numbers
    return np.sort(rng.permutation(numbers)[:most])


def choose_unseen(numbers: NDArray[np.int64], params: Split, rng: np.random.Generator) -> NDArray[np.int64]:
    """The share of the playlists, drawn at random, of which training sees nothing."""
    return rng.permutation(numbers)[: round(params.unseen_share * len(numbers))]


def split_entries(entries: pd.DataFrame, unseen: NDArray[np.int64], params: Split) -> pd.DataFrame:
    """The columns of `Splits`: of each playlist the last entries are test, as many before them val, the others train.

    A playlist without an entry left for training is in train whole; the `unseen` ones are a split of their own.
    """
    split = leave_last_out(
        entries["playlist_index"], entries["position"], val=params.holdout_size, test=params.holdout_size
    )
    split[entries["playlist_index"].isin(unseen)] = definitions.UNSEEN
    return entries.assign(split=split)


def training_graph(splits: pd.DataFrame) -> pd.DataFrame:
    """The columns of `TrainingGraph`: the edges of the training entries, by playlist and track."""
    edges = splits.loc[splits["split"] == "train", ["playlist_index", "track_index"]]
    return edges.sort_values(["playlist_index", "track_index"], ignore_index=True)


def check_graph(graph: pd.DataFrame, splits: Iterable[pd.DataFrame]) -> int:
    """Raise LeakageError when an edge of the training graph is among the held-out entries, or is there twice.

    The entries may come in pieces; gives their number.
    """
    edges = np.unique(_edges(graph))
    twice = len(graph) - len(edges)
    entries = leaked = 0
    first = ""
    for piece in splits:
        entries += len(piece)
        held = piece[piece["split"] != "train"]
        found = held[_is_among(_edges(held), edges)]
        leaked += len(found)
        if len(found) and not first:
            first = f"track {found['track_index'].iloc[0]} of playlist {found['playlist_index'].iloc[0]}"
    if leaked or twice:
        raise LeakageError(
            f"{leaked} held-out entries are edges of the training graph, the first one {first}"
            if leaked
            else f"{twice} edges of the training graph are there twice",
            where="data/playlists/split/graph.parquet",
            fix="remove repeated tracks from playlists, as the filter stage does",
        )
    return entries


def _edges(rows: pd.DataFrame) -> NDArray[np.int64]:
    """Playlist and track of each row as one number."""
    playlist, track = (rows[name].to_numpy(dtype=np.int64) for name in ("playlist_index", "track_index"))
    numbers: NDArray[np.int64] = (playlist << 32) | track
    return numbers


def _is_among(wanted: NDArray[np.int64], edges: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the `wanted` are among the sorted `edges`."""
    found: NDArray[np.bool_] = np.append(edges, -1)[np.searchsorted(edges, wanted)] == wanted
    return found


def check_findable(train: NDArray[np.int64], held_out: Mapping[str, NDArray[np.int64]]) -> None:
    """Raise TableError when a split has no track that some training playlist has: no recommender could find one."""
    for split, tracks in held_out.items():
        if not np.isin(tracks, train).any():
            raise TableError(
                f"no {split} track is in any training playlist: there is nothing to find",
                fix="use more playlists, or longer ones",
            )
