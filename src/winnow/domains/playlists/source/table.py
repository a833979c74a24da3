"""CSVs with a line for each track: one of user, artist, track and playlist, such as Kaggle's "Spotify Playlists", or a
folder of them, in which a file without a column of playlists is one playlist, such as what Exportify writes.

Its header has blanks and quotes in varying places, and its fields quotes within quotes, doubled or after a backslash.
Each line is parsed on its own, so that a quote that is never closed spoils one line only.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
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
    "artists": ("artistnames", "artists"),
    "track": ("trackname", "track", "title", "tracktitle", "song", "songname", "songtitle"),
    "playlist": ("playlistname", "playlist", "playlisttitle"),
}
"""What a column may be called, in lower case and without anything but letters."""


class Form(NamedTuple):
    """How the lines of a file are written."""

    delimiter: str
    width: int
    """fields of each line; 0: any number"""


@dataclass
class _Read:
    """What goes on from piece to piece, and in a folder from file to file."""

    numbers: dict[tuple[str, str], int] = field(default_factory=dict)
    """of the playlists so far, by user and name"""
    lengths: list[int] = field(default_factory=list)
    rows: int = 0
    """lines of the files before"""


def is_table(path: Path) -> bool:
    """Whether the name is that of a CSV, plain or gzip."""
    return path.name.lower().removesuffix(".gz").endswith(".csv")


def read(path: Path) -> Iterator[Piece]:
    """The playlists of a file, or of the CSVs of a folder, in the order of names and lines; raises SourceError."""
    if not path.is_dir():
        yield from _file(path, _Read(), "")
        return
    files = sorted(file for file in path.iterdir() if is_table(file))
    if not files:
        raise SourceError(f"{path} holds no .csv file", fix="name a CSV, or a folder of them")
    so_far = _Read()
    for file in files:
        yield from _file(file, so_far, file.name[: file.name.lower().rindex(".csv")])


def _file(path: Path, so_far: _Read, whole: str) -> Iterator[Piece]:
    """The pieces of a file; `whole` names the playlist of a file of a folder, where no column does."""
    lines = lines_of(path)
    header = next(lines, "")
    if not header.strip():
        raise SourceError(f"{path} is empty", fix="name a file with one line per track")
    form = Form(delimiter_of(header), 0)
    names = _fields(header, form) or []
    places, form = _places(path, names, whole), Form(form.delimiter, len(names))
    start = 2  # the header is line 1
    while piece := list(islice(lines, LINES)):
        yield _piece(piece, start, places, form, so_far, whole)
        start += len(piece)
    if start == 2 and not whole:
        raise SourceError(f"{path} holds nothing but its header", fix="name a file with one line per track")
    so_far.rows += start - 1


def _piece(lines: list[str], start: int, places: dict[str, int], form: Form, so_far: _Read, whole: str) -> Piece:
    """The piece of some lines of a file, from line `start` on."""
    listed, rejected = [], []
    columns: dict[str, list[object]] = {name: [] for name in ENTRIES}
    lengths = so_far.lengths
    for row, line in enumerate(lines, start):
        where = f"{whole}.csv, line {row}: " if whole else ""
        fields = _fields(line, form)
        if fields is None:
            rejected.append((so_far.rows + row, f"{where}the line has not {form.width} fields: {line.strip()!r:.60}"))
            continue
        user, artist, artists, track, playlist = (
            fields[places[name]].strip() if name in places else "" for name in NAMES
        )
        playlist = playlist if "playlist" in places else whole
        if not track or not playlist:
            rejected.append((so_far.rows + row, f"{where}the track or the playlist is missing: {line.strip()!r:.60}"))
            continue
        key = user, playlist
        if key not in so_far.numbers:
            so_far.numbers[key] = len(lengths)
            listed.append((len(lengths), f"{user}/{playlist}" if user else playlist, playlist))
            lengths.append(0)
        number = so_far.numbers[key]
        artist = artist or artists.partition(";")[0].strip()  # the first of several
        name = artist + definitions.JOIN + track if artist else track
        for column, value in zip(ENTRIES, (number, lengths[number], name, track, artist or None), strict=True):
            columns[column].append(value)
        lengths[number] += 1
    return make_piece(listed, columns, rejected)


def _places(path: Path, header: list[str], whole: str) -> dict[str, int]:
    """Where the columns are; user and artist may be missing, and playlist where the file is the `whole` of one."""
    plain = ["".join(filter(str.isalpha, name.lower())) for name in header]
    found = {name: plain.index(word) for name, words in NAMES.items() for word in words[::-1] if word in plain}
    missing = {"track"} | (set() if whole else {"playlist"})
    missing -= set(found)
    if missing:
        raise SourceError(
            f"{path} has no column {' and '.join(sorted(missing))}",
            fix="its first line must name track and playlist, and user and artist where they are known; it names "
            f"{', '.join(header)}: rename a column, or add the one that is missing; if each playlist is a file, name "
            "their folder",
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
