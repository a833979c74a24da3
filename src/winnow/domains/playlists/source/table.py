"""A CSV of user, artist, track and playlist, one line per track, such as Kaggle's "Spotify Playlists".

Its header has blanks and quotes in varying places, and its fields quotes within quotes, doubled or after a backslash.
Each line is parsed on its own, so that a quote that is never closed spoils one line only.
"""

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from winnow.curate.delimited import delimiter_of, lines_of
from winnow.domains.playlists import definitions
from winnow.domains.playlists.source.listing import ENTRIES, Piece, make_piece
from winnow.pipeline.errors import SourceError

LINES = 200_000
"""Lines in a piece."""
NAMES = {
    "user": ("userid", "user", "username"),
    "artist": ("artistname", "artist"),
    "track": ("trackname", "track", "title", "tracktitle", "song", "songname", "songtitle"),
    "playlist": ("playlistname", "playlist", "playlisttitle"),
}
"""What a column may be called, in lower case and without anything but letters."""


class Form(NamedTuple):
    """How the lines of a file are written."""

    delimiter: str
    width: int
    """fields of each line; 0: any number"""


def read(path: Path) -> Iterator[Piece]:
    """The playlists of a file, in the order of its lines; raises SourceError."""
    lines = lines_of(path)
    header = next(lines, "")
    if not header.strip():
        raise SourceError(f"{path} is empty", fix="name a file with one line per track")
    form = Form(delimiter_of(header), 0)
    names = _fields(header, form) or []
    places, form = _places(path, names), Form(form.delimiter, len(names))
    numbers: dict[tuple[str, str], int] = {}
    lengths: list[int] = []
    start = 2  # the header is line 1
    while piece := list(islice(lines, LINES)):
        yield _piece(piece, start, places, form, numbers, lengths)
        start += len(piece)
    if start == 2:
        raise SourceError(f"{path} holds nothing but its header", fix="name a file with one line per track")


def _piece(
    lines: list[str],
    start: int,
    places: dict[str, int],
    form: Form,
    numbers: dict[tuple[str, str], int],
    lengths: list[int],
) -> Piece:
    """The piece of some lines; `numbers` and `lengths` of the playlists so far go on."""
    listed, rejected = [], []
    columns: dict[str, list[object]] = {name: [] for name in ENTRIES}
    for row, line in enumerate(lines, start):
        fields = _fields(line, form)
        if fields is None:
            rejected.append((row, f"the line has not {form.width} fields: {line.strip()!r:.60}"))
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
            fix="its first line must name track and playlist, and user and artist where they are known; it names "
            f"{', '.join(header)}: rename a column, or add the one that is missing",
        )
    return found


def _fields(line: str, form: Form) -> list[str] | None:
    """The fields of a line; None when there are not as many as it should have."""
    for escape in (None, "\\"):
        reader = csv.reader(
            [line], delimiter=form.delimiter, skipinitialspace=True, escapechar=escape, doublequote=True
        )
        try:
            fields = next(reader, [])
        except csv.Error:
            continue
        if form.width in (0, len(fields)):
            return fields
    return None
