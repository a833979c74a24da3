"""What a model card says of a network that completes playlists."""

from pathlib import Path

import pandas as pd

from winnow.domains.playlists import definitions
from winnow.learn.card import Description, plain_names


def _tracks(folder: Path) -> list[str]:
    tracks = pd.read_parquet(folder / "tracks.parquet").nlargest(50, "playlists")
    artists = pd.read_parquet(folder / "artists.parquet").set_index("artist_index")["artist"]
    named = tracks["artist_index"].map(artists)
    return plain_names(named[named.notna()] + definitions.JOIN + tracks["title"])


CARD = Description(
    title="winnow playlists: playlist completion",
    task="From the tracks of a playlist in order, or its name, to tracks with which it may go on, with a chance and "
    "the reasons.",
    use="Completion of playlists with tracks of its training data.",
    limits=(
        "It knows the tracks of its training data only, and nothing of how they sound.",
        "Popular tracks and artists are suggested more often; look at coverage and novelty above.",
        "Names of playlists are understood by their words alone.",
    ),
    row="playlist entries",
    synthetic="playlists drawn from tracks of drawn artists and genres",
    known=_tracks,
    tags=("recommendation", "playlist-continuation", "graph-neural-network"),
)
