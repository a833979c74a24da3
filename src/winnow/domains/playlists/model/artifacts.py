"""What the trained network's folder holds besides the network, so that completing playlists reads nothing else."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field
from safetensors.numpy import load_file, save_file
from scipy import sparse

from winnow.domains.playlists.model.completion import Neighbourhood, genres_of_tracks
from winnow.domains.playlists.tables import (
    Artists,
    GenreEdges,
    Genres,
    KnownTracks,
    NameWordCounts,
    NameWordTracks,
    Seen,
)
from winnow.learn.folder import finite, model_files, read_settings
from winnow.pipeline.files import atomic_path, write_json
from winnow.pipeline.section import Section
from winnow.pipeline.tables import read_table, write_table
from winnow.recommend.chances import Chances
from winnow.recommend.settings import NotNegative, Positive
from winnow.recommend.words import NameWords, fit_words

SETTINGS, SIMILAR = "settings.json", "similar.safetensors"
CSR = ("data", "indices", "indptr")
"""The arrays of a sparse matrix of compressed rows."""
WORDS, WORD_TRACKS = "words.parquet", "word_tracks.parquet"
GENRE_EDGES, SEEN = "genre_edges.parquet", "seen.parquet"


class Blend(Section):
    """What the settings hold of a `Neighbourhood`."""

    weight: NotNegative
    decay: Positive
    floor: NotNegative
    artist_weight: NotNegative
    genre_weight: NotNegative


class Settings(Section):
    """The hold-out's size, the playlists behind the words of names, the blend, and what scores mean."""

    holdout_size: int = Field(ge=1)
    training_playlists: int = Field(ge=1)
    blend: Blend
    chances: Chances


@dataclass(frozen=True)
class Artifacts:
    """The tracks, artists and genres behind the network's indices, the hold-out, and the words of playlists' names."""

    tracks: pd.DataFrame
    """`KnownTracks`"""
    artists: pd.DataFrame
    """`Artists`"""
    genres: pd.DataFrame
    """`Genres`"""
    genre_edges: pd.DataFrame
    """`GenreEdges`"""
    holdout_size: int
    """tracks that were held out of each playlist"""
    words: NameWords
    """which tracks the training playlists have whose name has a word"""
    seen: frozenset[int]
    """of each training playlist, without its test tracks: the last of `prefix_digests`"""

    def write(self, folder: Path) -> None:
        """Add the tables to a model's folder."""
        write_table(folder / "tracks.parquet", self.tracks, KnownTracks)
        write_table(folder / "artists.parquet", self.artists, Artists)
        write_table(folder / "genres.parquet", self.genres, Genres)
        write_table(folder / GENRE_EDGES, self.genre_edges, GenreEdges)
        write_table(folder / SEEN, pd.DataFrame({"digest": sorted(self.seen)}, dtype="int64"), Seen)
        words, counts = pd.Series(self.words.words, dtype="str"), self.words.together.tocoo()
        write_table(folder / WORDS, pd.DataFrame({"word": words, "playlists": self.words.lists}), NameWordCounts)
        told = {"word_index": counts.row, "track_index": counts.col, "together": counts.data}
        write_table(folder / WORD_TRACKS, pd.DataFrame(told).astype("int64"), NameWordTracks)


def make_artifacts(
    playlists: pd.DataFrame,
    tracks: pd.DataFrame,
    artists: pd.DataFrame,
    genres: pd.DataFrame,
    genre_edges: pd.DataFrame,
    sampling: pd.DataFrame,
    splits: pd.DataFrame,
) -> Artifacts:
    """From `NumberedPlaylists`, `Tracks`, `Artists`, `Genres`, `GenreEdges`, `Sampling` and `Splits`."""
    held = splits[splits["split"] == "test"].groupby("playlist_index").size()
    train, counts = splits[splits["split"] == "train"], sampling["playlists"]
    owner, track = (train[name].to_numpy(dtype=np.int64) for name in ("playlist_index", "track_index"))
    words = fit_words(playlists["name"].tolist(), owner, track, counts.to_numpy())
    known = splits[splits["playlist_index"].isin(owner) & (splits["split"] != "test")].groupby("playlist_index")
    seen = frozenset(int(prefix_digests(own.to_numpy(dtype=np.int64))[-1]) for _, own in known["track_index"])
    return Artifacts(tracks.assign(playlists=counts), artists, genres, genre_edges, int(held.max()), words, seen)


def prefix_digests(tracks: NDArray[np.int64]) -> NDArray[np.int64]:
    """64 bits that tell the first track, the first two and so on (tracks,) from other sets of track numbers.

    A sum of each track's own 64 bits (splitmix64: Steele et al. 2014), so that the order does not matter.
    """
    mixed = (tracks.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.cumsum(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64).view(np.int64)


def read_artifacts(folder: Path) -> Artifacts:
    """The tables of a model's folder; raises TableError when one is missing."""
    settings = _settings(folder)
    tracks = read_table(folder / "tracks.parquet", KnownTracks)
    words, pairs = read_table(folder / WORDS, NameWordCounts), read_table(folder / WORD_TRACKS, NameWordTracks)
    together = sparse.csr_matrix(
        (pairs["together"].to_numpy(dtype=np.float32), (pairs["word_index"], pairs["track_index"])),
        shape=(len(words), len(tracks)),
    )
    named = tuple(words["word"]), words["playlists"].to_numpy(), together, tracks["playlists"].to_numpy()
    return Artifacts(
        tracks,
        read_table(folder / "artists.parquet", Artists),
        read_table(folder / "genres.parquet", Genres),
        read_table(folder / GENRE_EDGES, GenreEdges),
        settings.holdout_size,
        NameWords(*named, settings.training_playlists),
        frozenset(read_table(folder / SEEN, Seen)["digest"].tolist()),
    )


def write_settings(folder: Path, artifacts: Artifacts, near: Neighbourhood, chances: Chances) -> None:
    """Add the hold-out's size, item-kNN with its weight in the blend, and what scores mean to a model's folder."""
    similar = near.similar  # safetensors: a zip file's bytes depend on Python's patch release
    with atomic_path(folder / SIMILAR) as scratch:
        save_file({name: getattr(similar, name) for name in CSR}, scratch)
    told = Settings(
        holdout_size=artifacts.holdout_size,
        training_playlists=artifacts.words.total,
        blend=Blend(**{name: getattr(near, name) for name in Blend.model_fields}),
        chances=chances,
    )
    write_json(folder / SETTINGS, told.model_dump())


def read_chances(folder: Path) -> Chances:
    """What the scores of a model's folder mean."""
    return _settings(folder).chances


def read_blend(folder: Path) -> Neighbourhood | None:
    """The blend of a model's folder; None where the network is used alone."""
    near = read_neighbourhood(folder)
    return near if near.weight > 0 else None


def read_neighbourhood(folder: Path) -> Neighbourhood:
    """The item-kNN of a model's folder, with its weight in the blend, which may be 0."""
    blend = _settings(folder).blend
    tracks = read_table(folder / "tracks.parquet", KnownTracks)
    with model_files(folder / SIMILAR, "playlists"):
        found = finite(load_file(folder / SIMILAR))
        similar = sparse.csr_matrix(tuple(found[name] for name in CSR), shape=(len(tracks), len(tracks)))
        similar.check_format()
    return Neighbourhood(
        **blend.model_dump(),
        similar=similar,
        artist=tracks["artist_index"].to_numpy(),
        popularity=tracks["playlists"].to_numpy(dtype=np.float32),
        genres=genres_of_tracks(tracks["artist_index"].to_numpy(), read_table(folder / GENRE_EDGES, GenreEdges)),
    )


def _settings(folder: Path) -> Settings:
    return read_settings(folder / SETTINGS, Settings, "playlists")
