"""The formats a data set may have."""

from collections.abc import Iterator
from pathlib import Path

from winnow.domains.playlists.source import mpd, table
from winnow.domains.playlists.source.listing import Piece
from winnow.pipeline.errors import SourceError


def guess(path: Path) -> str:
    """The format of a file or folder by its name, and by the names in it."""
    if path.is_dir():
        has_slices = any(path.glob("*.json*"))
        return "csv" if not has_slices and any(map(table.is_table, path.iterdir())) else "mpd"
    return "mpd" if path.name.lower().removesuffix(".gz").endswith(".json") else "csv"


def read(form: str, path: Path) -> Iterator[Piece]:
    """The pieces of a data set in the format `mpd` or `csv`; raises SourceError."""
    if path.suffix.lower() in {".m3u", ".m3u8"}:
        raise SourceError(
            f"{path} is one list of an M3U, and a data set has many",
            fix="write a CSV with playlist, artist and track; `winnow playlists complete --file` takes an M3U",
        )
    return mpd.read(path) if form == "mpd" else table.read(path)
