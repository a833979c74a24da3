"""The formats a data set may have."""

from collections.abc import Iterator
from pathlib import Path

from winnow.domains.playlists.source import mpd, table
from winnow.domains.playlists.source.listing import Piece


def read(form: str, path: Path) -> Iterator[Piece]:
    """The pieces of a data set in the format `mpd` or `csv`; raises SourceError."""
    return mpd.read(path) if form == "mpd" else table.read(path)
