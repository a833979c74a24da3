"""A CSV of user, artist, track and playlist, one line per track, such as Kaggle's "Spotify Playlists".

Its header has blanks and quotes in varying places, and its fields quotes within quotes, doubled or after a backslash.
Each line is parsed on its own, so that a quote that is never closed spoils one line only.
"""

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from winnow.domains.playlists import definitions
from winnow.domains.playlists.source.listing import ENTRIES, Piece, make_piece, open_text
from winnow.pipeline.errors import SourceError

LINES = 200_000
"""Lines in a piece."""
NAMES = {
    "user": ("userid", "user"),
    "artist": ("artistname", "artist"),
    "track": ("trackname", "track", "title"),
    "playlist": ("playlistname", "playlist"),
}
"""What a column may be called, in lower case and without anything but letters."""


def read(path: Path) -> Iterator[Piece]:
    """The playlists of a file, in the order of its lines; raises SourceError."""
    with open_text(path) as file:
        header = file.readline()
        if not header.strip():
            raise SourceError(f"{path} is empty", fix="name a file with one line per track")
        places = _places(path, _fields(header, 0) or [])
        width = len(_fields(header, 0) or [])
        numbers: dict[tuple[str, str], int] = {}
        lengths: list[int] = []
        start = 2  # the header is line 1
        while lines := list(islice(file, LINES)):
            yield _piece(lines, start, places, width, numbers, lengths)
            start += len(lines)
        if start == 2:
            raise SourceError(f"{path} holds nothing but its header", fix="name a file with one line per track")


def _piece(
    lines: list[str],
    start: int,
    places: dict[str, int],
    width: int,
    numbers: dict[tuple[str, str], int],
    lengths: list[int],
) -> Piece:
    """The piece of some lines; `numbers` and `lengths` of the playlists so far go on."""
    listed, rejected = [], []
    columns: dict[str, list[object]] = {name: [] for name in ENTRIES}
    for row, line in enumerate(lines, start):
        fields = _fields(line, width)
        if fields is None:
            rejected.append((row, f"the line has not {width} fields: {line.strip()!r:.60}"))
            continue
        user, artist, track, playlist = (fields[places[name]].strip() if name in places else "" for name in NAMES)
        if not track or not playlist:
            rejected.append((row, f"the track or the playlist is missing: {line.strip()!r:.60}"))
            continue
        key = user, playlist
        if key not in numbers:
            numbers[key] = len(lengths)
            listed.append((len(lengths), f"{user}/{playlist}" if user else playlist, playlist))
            lengths.append(0)
        number = numbers[key]
        name = artist + definitions.JOIN + track if artist else track
        for column, value in zip(ENTRIES, (number, lengths[number], name, track, artist or None), strict=True):
            columns[column].append(value)
        lengths[number] += 1
    return make_piece(listed, columns, rejected)


def _places(path: Path, header: list[str]) -> dict[str, int]:
    """Where the columns are; user and artist may be missing."""
    plain = ["".join(filter(str.isalpha, name.lower())) for name in header]
    found = {name: plain.index(word) for name, words in NAMES.items() for word in words[::-1] if word in plain}
    missing = {"track", "playlist"} - set(found)
    if missing:
        raise SourceError(
            f"{path} has no column {' and '.join(sorted(missing))}",
            fix=f"its first line must name user, artist, track and playlist; it names {', '.join(header)}",
        )
    return found


def _fields(line: str, width: int) -> list[str] | None:
    """The fields of a line; None when there are not `width` (0: any number)."""
    for escape in (None, "\\"):
        try:
            fields = next(csv.reader([line], skipinitialspace=True, escapechar=escape, doublequote=True), [])
        except csv.Error:
            continue
        if width in (0, len(fields)):
            return fields
    return None
