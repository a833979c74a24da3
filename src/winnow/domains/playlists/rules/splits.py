"""The last tracks of every playlist held out, and the training graph without them."""

import numpy as np
import pandas as pd

from winnow.curate.leave_last_out import leave_last_out
from winnow.curate.splits import check_splits
from winnow.domains.playlists import definitions
from winnow.domains.playlists.params import Split
from winnow.pipeline.errors import LeakageError, TableError


def choose_playlists(entries: pd.DataFrame, most: int | None, rng: np.random.Generator) -> pd.DataFrame:
    """The entries of `most` playlists drawn at random, or of all."""
    numbers = entries["playlist_index"].unique()
    if most is None or most >= len(numbers):
        return entries
    return entries[entries["playlist_index"].isin(rng.permutation(numbers)[:most])]


def split_entries(entries: pd.DataFrame, params: Split, rng: np.random.Generator) -> pd.DataFrame:
    """The columns of `Splits`: of each playlist the last entries are test, as many before them val, the others train.

    A playlist without an entry left for training is in train whole; a share of the playlists, drawn at random, is
    unseen. Raises TableError when a split has no row.
    """
    split = leave_last_out(
        entries["playlist_index"], entries["position"], val=params.holdout_size, test=params.holdout_size
    )
    numbers = entries["playlist_index"].unique()
    unseen = rng.permutation(numbers)[: round(params.unseen_share * len(numbers))]
    split[entries["playlist_index"].isin(unseen)] = definitions.UNSEEN
    check_splits(split[split != definitions.UNSEEN], definitions.SPLITS)
    return entries.assign(split=split)


def training_graph(splits: pd.DataFrame) -> pd.DataFrame:
    """The columns of `TrainingGraph`: the edges of the training entries, by playlist and track."""
    edges = splits.loc[splits["split"] == "train", ["playlist_index", "track_index"]]
    return edges.sort_values(["playlist_index", "track_index"], ignore_index=True)


def check_graph(graph: pd.DataFrame, splits: pd.DataFrame) -> None:
    """Raise LeakageError when an edge of the training graph is among the held-out entries, or is there twice."""
    width = int(splits["track_index"].max()) + 1
    edges = graph["playlist_index"].to_numpy() * width + graph["track_index"].to_numpy()
    held = splits[splits["split"] != "train"]
    leaked = np.isin(held["playlist_index"].to_numpy() * width + held["track_index"].to_numpy(), edges)
    if leaked.any():
        first = held[leaked].iloc[0]
        raise LeakageError(
            f"{leaked.sum()} held-out entries are edges of the training graph, the first one track "
            f"{first['track_index']} of playlist {first['playlist_index']}",
            where="data/playlists/split/graph.parquet",
            fix="remove repeated tracks from playlists, as the filter stage does",
        )
    if len(np.unique(edges)) < len(edges):
        raise LeakageError(
            f"{len(edges) - len(np.unique(edges))} edges of the training graph are there twice",
            where="data/playlists/split/graph.parquet",
            fix="remove repeated tracks from playlists, as the filter stage does",
        )


def check_findable(graph: pd.DataFrame, splits: pd.DataFrame) -> None:
    """Raise TableError when a split has no track that some training playlist has: no recommender could find one."""
    for split in definitions.SPLITS[1:]:
        if not splits.loc[splits["split"] == split, "track_index"].isin(graph["track_index"]).any():
            raise TableError(
                f"no {split} track is in any training playlist: there is nothing to find",
                fix="use more playlists, or longer ones",
            )
