"""The Million Playlist Dataset (Chen, Lamere, Schedl and Zamani 2018): slices `mpd.slice.<first>-<last>.json`.

A slice holds 1,000 playlists and is read whole; the next one takes its place in memory.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from winnow.domains.playlists.source.listing import ENTRIES, Piece, make_piece, open_text
from winnow.pipeline.errors import SourceError
from winnow.pipeline.reading import reading

SLICE = re.compile(r"mpd\.slice\.(\d+)-\d+\.json(\.gz)?")


def read(path: Path) -> Iterator[Piece]:
    """The playlists of one slice, or of all slices in a folder by their numbers; raises SourceError."""
    first = row = 0
    for file in _slices(path):
        piece, rows = _piece(_playlists(file), first, row)
        yield piece
        first += len(piece.playlists)
        row += rows


def _slices(path: Path) -> list[Path]:
    if not path.is_dir():  # a pipe is read, too
        return [path]
    files = [(SLICE.fullmatch(file.name), file) for file in path.iterdir() if file.is_file()]
    found = [(int(match[1]), file) for match, file in files if match]
    if not found:
        raise SourceError(f"{path} holds no mpd.slice.*.json", fix="name a folder with slices, or one slice")
    return [file for _, file in sorted(found)]


def _playlists(file: Path) -> list[Any]:
    """The list `playlists` of a slice; raises SourceError when the file is empty, cut off, or something else."""
    with open_text(file) as stream:
        text = stream.read()
    if not text.strip():
        raise SourceError(f"{file} is empty", fix="copy the slice again")
    with reading(file, "is no whole JSON", fix="the file may be cut off: copy the slice again"):
        content = json.loads(text)
    playlists = content.get("playlists") if isinstance(content, dict) else None
    if not isinstance(playlists, list):
        raise SourceError(f"{file} has no list `playlists`", fix="name a slice of the Million Playlist Dataset")
    return playlists


def _piece(playlists: list[Any], first: int, row: int) -> tuple[Piece, int]:
    """The piece of a slice, whose playlists are numbered from `first` and its rows from `row`; and its rows.

    A row is a track, or a playlist that has none.
    """
    listed, rejected, start = [], [], row
    columns: dict[str, list[object]] = {name: [] for name in ENTRIES}
    for number, playlist in enumerate(playlists, first):
        about = playlist if isinstance(playlist, dict) else {}
        listed.append((number, _text(about.get("pid", number)), _text(about.get("name") or "")))
        tracks = about.get("tracks")
        if not isinstance(tracks, list) or not tracks:
            rejected.append((row, f"the playlist has no tracks: pid {listed[-1][1]}"))
            row += 1
            continue
        for position, track in enumerate(tracks):
            values = _track(track)
            if values is None:
                rejected.append((row, f"the track has no track_uri: pid {listed[-1][1]}, track {position + 1}"))
            else:
                for name, value in zip(ENTRIES, (number, position, *values), strict=True):
                    columns[name].append(value)
            row += 1
    return make_piece(listed, columns, rejected), row - start


def _track(track: Any) -> tuple[str, str, str | None] | None:
    """Id, title and artist; None without an id."""
    if not isinstance(track, dict) or not track.get("track_uri"):
        return None
    artist = _text(track.get("artist_name") or "").strip()
    return _text(track["track_uri"]), _text(track.get("track_name") or track["track_uri"]), artist or None


def _text(value: Any) -> str:
    """As text; what JSON may escape and UTF-8 cannot hold, half of a surrogate pair, becomes a question mark."""
    return str(value).encode("utf-8", "replace").decode("utf-8")
