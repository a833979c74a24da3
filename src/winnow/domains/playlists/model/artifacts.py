"""What the trained network's folder holds besides the network, so that completing playlists reads nothing else."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import load_file, save_file
from scipy import sparse

from winnow.domains.playlists.model.completion import Neighbourhood
from winnow.domains.playlists.tables import Artists, Genres, KnownTracks
from winnow.pipeline.errors import TableError, WinnowError
from winnow.pipeline.files import atomic_path, write_json
from winnow.pipeline.tables import read_table, write_table

SETTINGS, SIMILAR = "settings.json", "similar.safetensors"
CSR = ("data", "indices", "indptr")
"""The arrays of a sparse matrix of compressed rows."""
BLEND = ("weight", "decay", "floor", "artist_weight")
"""Of a `Neighbourhood`, what the settings hold."""


@dataclass(frozen=True)
class Artifacts:
    """The tracks, artists and genres behind the network's indices, the hold-out, and the blend."""

    tracks: pd.DataFrame
    """`KnownTracks`"""
    artists: pd.DataFrame
    """`Artists`"""
    genres: pd.DataFrame
    """`Genres`"""
    holdout_size: int
    """tracks that were held out of each playlist"""

    def write(self, folder: Path) -> None:
        """Add the tables to a model's folder."""
        write_table(folder / "tracks.parquet", self.tracks, KnownTracks)
        write_table(folder / "artists.parquet", self.artists, Artists)
        write_table(folder / "genres.parquet", self.genres, Genres)


def make_artifacts(
    tracks: pd.DataFrame, artists: pd.DataFrame, genres: pd.DataFrame, sampling: pd.DataFrame, splits: pd.DataFrame
) -> Artifacts:
    """From `Tracks`, `Artists`, `Genres`, `Sampling` and `Splits`."""
    held = splits[splits["split"] == "test"].groupby("playlist_index").size()
    return Artifacts(tracks.assign(playlists=sampling["playlists"]), artists, genres, int(held.max()))


def read_artifacts(folder: Path) -> Artifacts:
    """The tables of a model's folder; raises TableError when one is missing."""
    return Artifacts(
        read_table(folder / "tracks.parquet", KnownTracks),
        read_table(folder / "artists.parquet", Artists),
        read_table(folder / "genres.parquet", Genres),
        int(_settings(folder)["holdout_size"]),
    )


def write_settings(folder: Path, holdout_size: int, blend: Neighbourhood | None) -> None:
    """Add the hold-out's size and the blend to a model's folder."""
    told = None if blend is None else {name: getattr(blend, name) for name in BLEND}
    if blend is not None:
        similar = blend.similar  # safetensors: a zip file's bytes depend on Python's patch release
        with atomic_path(folder / SIMILAR) as scratch:
            save_file({name: getattr(similar, name) for name in CSR}, scratch)
    write_json(folder / SETTINGS, {"holdout_size": holdout_size, "blend": told})


def read_blend(folder: Path) -> Neighbourhood | None:
    """The blend of a model's folder; None where the network is used alone."""
    blend = _settings(folder)["blend"]
    if blend is None:
        return None
    if missing := [name for name in BLEND if name not in blend]:
        raise WinnowError(
            f"{folder / SETTINGS} lacks {', '.join(missing)} of the blend",
            fix="dvc repro train@playlists writes it again",
        )
    tracks = read_table(folder / "tracks.parquet", KnownTracks)
    similar = load_file(folder / SIMILAR)
    return Neighbourhood(
        **blend,
        similar=sparse.csr_matrix(tuple(similar[name] for name in CSR), shape=(len(tracks), len(tracks))),
        artist=tracks["artist_index"].to_numpy(),
        popularity=tracks["playlists"].to_numpy(dtype=np.float32),
    )


def _settings(folder: Path) -> dict[str, Any]:
    file = folder / SETTINGS
    if not file.is_file():
        raise TableError(f"{file} does not exist", fix="bring it back with `dvc checkout train@playlists`")
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found
