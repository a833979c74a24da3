"""What every source gives: playlists in pieces, so that memory does not grow with their number."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pandas as pd

from winnow.pipeline.errors import SourceError
from winnow.pipeline.reading import open_packed

ENTRIES = {"playlist": "int64", "position": "int64", "track": "str", "title": "str", "artist": "str"}
"""The columns of a piece's entries and their types; `playlist` counts from 0 in each source."""


@dataclass(frozen=True)
class Piece:
    """Some of a source's playlists."""

    playlists: pd.DataFrame
    """playlist (not in an earlier piece), key, name"""
    entries: pd.DataFrame
    """the columns of ENTRIES"""
    rejected: pd.DataFrame
    """row, reason"""


def make_piece(
    playlists: Sequence[tuple[int, str, str]],
    entries: Mapping[str, Sequence[object]],
    rejected: Sequence[tuple[int, str]] = (),
) -> Piece:
    """A piece of lists of values; an artist's missing name is None."""
    return Piece(
        pd.DataFrame(list(playlists), columns=["playlist", "key", "name"]).astype(
            {"playlist": "int64", "key": "str", "name": "str"}
        ),
        pd.DataFrame({name: pd.Series(list(entries[name]), dtype=kind) for name, kind in ENTRIES.items()}),
        pd.DataFrame(list(rejected), columns=["row", "reason"]).astype({"row": "int64", "reason": "str"}),
    )


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """A text file, plain or gzip, opened for reading; raises SourceError when it cannot be read."""
    fix = "copy the file again; it must be text in UTF-8, and .gz files gzip"
    with open_packed(path, fix=fix) as (file, _):
        try:
            yield io.TextIOWrapper(file, encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise SourceError(f"{path} cannot be read: {error}", fix=fix) from None
