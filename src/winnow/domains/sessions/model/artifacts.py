"""What the trained recommender's folder holds besides the network, so that recommending reads nothing else."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field

from winnow.domains.sessions.tables import GenreNames, KnownSongs, KnownUsers, PlayRules, Songs
from winnow.learn.folder import finite, model_files, read_settings
from winnow.pipeline.files import atomic_path, write_json
from winnow.pipeline.section import Float, Section
from winnow.pipeline.tables import read_table, write_table
from winnow.recommend.baselines import ItemKNN
from winnow.recommend.chances import Chances
from winnow.recommend.filters import Blend, GraphFilter
from winnow.recommend.graph import Graph, matrix_of
from winnow.recommend.settings import NotNegative

SETTINGS, BASIS = "filter.json", "filter.npy"

KNOWN_SPLITS = ("train", "val", "cold_given")
"""Splits by which a user is known once the model is in use; what was held out to judge it stays out."""


class KNN(Section):
    """The settings of an `ItemKNN`."""

    neighbours: int = Field(ge=1)
    shrink: NotNegative
    asymmetry: Float = Field(ge=0, le=1)


class Settings(Section):
    """A `Blend`, by its item-kNN or by its graph filter beside the basis, and what scores mean."""

    weight: NotNegative
    chances: Chances | None
    item_knn: KNN | None = None
    alpha: NotNegative = 0
    sharpening: NotNegative = 1


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
    rules: pd.DataFrame
    """`PlayRules`"""

    def write(self, folder: Path) -> None:
        """Add the tables to a model's folder."""
        write_table(folder / "users.parquet", self.users, KnownUsers)
        write_table(folder / "songs.parquet", self.songs, Songs)
        write_table(folder / "genres.parquet", self.genres, GenreNames)
        write_table(folder / "known.parquet", self.known, KnownSongs)
        write_table(folder / "rules.parquet", self.rules, PlayRules)


def make_artifacts(
    users: pd.DataFrame,
    types: pd.DataFrame,
    songs: pd.DataFrame,
    genres: pd.DataFrame,
    splits: pd.DataFrame,
    rules: pd.DataFrame,
) -> Artifacts:
    """From `Users`, `UserTypes`, `Songs`, `Genres`, `Splits` and `PlayRules`."""
    names = genres[["genre_index", "genre"]].drop_duplicates("genre_index").sort_values("genre_index")
    return Artifacts(
        users.merge(types, on="user_index", validate="one_to_one"),
        songs,
        names.reset_index(drop=True),
        splits[splits["split"].isin(KNOWN_SPLITS)].sort_values(["user_index", "song_index"], ignore_index=True),
        rules,
    )


def read_artifacts(folder: Path) -> Artifacts:
    """The tables of a model's folder; raises TableError when one is missing."""
    return Artifacts(
        read_table(folder / "users.parquet", KnownUsers),
        read_table(folder / "songs.parquet", Songs),
        read_table(folder / "genres.parquet", GenreNames),
        read_table(folder / "known.parquet", KnownSongs),
        read_table(folder / "rules.parquet", PlayRules),
    )


def write_blend(folder: Path, blend: Blend | None, chances: Chances | None) -> None:
    """Add the filter or item-kNN, and what scores mean, to a model's folder, whose users' songs are its matrix."""
    told = {"chances": None if chances is None else vars(chances)}
    if blend is None:
        write_json(folder / SETTINGS, {"weight": 0.0} | told)
        return
    if isinstance(blend.filter, ItemKNN):
        knn = {name: getattr(blend.filter, name) for name in KNN.model_fields}
        write_json(folder / SETTINGS, {"weight": blend.weight, "item_knn": knn} | told)
        return
    with atomic_path(folder / BASIS) as scratch, scratch.open("wb") as file:
        np.save(file, blend.filter.basis)
    own = {"weight": blend.weight, "alpha": blend.filter.alpha, "sharpening": blend.filter.sharpening}
    write_json(folder / SETTINGS, own | told)


def read_chances(folder: Path) -> Chances | None:
    """What the scores of a model's folder mean; None where nobody knows."""
    return read_settings(folder / SETTINGS, Settings, "sessions").chances


def read_blend(folder: Path, graph: Graph) -> Blend | None:
    """The filter or item-kNN of a model's folder over its training graph; None where the network scores alone."""
    own = read_settings(folder / SETTINGS, Settings, "sessions")
    if own.weight == 0:
        return None
    if own.item_knn:
        return Blend(ItemKNN(matrix_of(graph), **own.item_knn.model_dump()), own.weight)
    with model_files(folder / BASIS, "sessions"):
        found = finite({BASIS: np.load(folder / BASIS)})
        return Blend(GraphFilter(matrix_of(graph), found[BASIS], own.alpha, own.sharpening), own.weight)
