"""What the trained recommender's folder holds besides the network, so that recommending reads nothing else."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from winnow.domains.sessions.tables import GenreNames, KnownSongs, KnownUsers, Songs
from winnow.pipeline.tables import read_table, write_table

KNOWN_SIDES = ("train", "val", "cold_given")
"""Sides of the split by which a user is known once the model is in use; what was held out to judge it stays out."""


@dataclass(frozen=True)
class Artifacts:
    """The users, songs and genres behind the model's indices, and the known songs of each user."""

    users: pd.DataFrame
    """`KnownUsers`"""
    songs: pd.DataFrame
    """`Songs`"""
    genres: pd.DataFrame
    """`GenreNames`"""
    known: pd.DataFrame
    """`KnownSongs`"""

    def write(self, folder: Path) -> None:
        """Add the tables to a model's folder."""
        write_table(folder / "users.parquet", self.users, KnownUsers)
        write_table(folder / "songs.parquet", self.songs, Songs)
        write_table(folder / "genres.parquet", self.genres, GenreNames)
        write_table(folder / "known.parquet", self.known, KnownSongs)


def make_artifacts(
    users: pd.DataFrame, types: pd.DataFrame, songs: pd.DataFrame, genres: pd.DataFrame, splits: pd.DataFrame
) -> Artifacts:
    """From `Users`, `UserTypes`, `Songs`, `Genres` and `Splits`."""
    names = genres[["genre_index", "genre"]].drop_duplicates("genre_index").sort_values("genre_index")
    return Artifacts(
        users.merge(types, on="user_index", validate="one_to_one"),
        songs,
        names.reset_index(drop=True),
        splits[splits["split"].isin(KNOWN_SIDES)].sort_values(["user_index", "song_index"], ignore_index=True),
    )


def read_artifacts(folder: Path) -> Artifacts:
    """The tables of a model's folder; raises TableError when one is missing."""
    return Artifacts(
        read_table(folder / "users.parquet", KnownUsers),
        read_table(folder / "songs.parquet", Songs),
        read_table(folder / "genres.parquet", GenreNames),
        read_table(folder / "known.parquet", KnownSongs),
    )
