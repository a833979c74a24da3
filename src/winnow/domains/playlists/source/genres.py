"""Genres of artists, from a CSV of the user's: artist, genre and, if it has a third column, count."""

import csv
from pathlib import Path

import pandas as pd

from winnow.domains.playlists.source.listing import open_text
from winnow.pipeline.errors import SourceError

MOST = 1e15
"""The largest count; beyond it sums are not exact."""


def no_genres() -> pd.DataFrame:
    """The columns of `ArtistGenres`, without rows."""
    return pd.DataFrame({"artist": [], "genre": [], "count": []}).astype(
        {"artist": "str", "genre": "str", "count": "float64"}
    )


def read(path: Path) -> pd.DataFrame:
    """The columns of `ArtistGenres`, sorted; names in lower case. Raises SourceError."""
    rows, lines = _rows(path)
    header = [name.strip().lower() for name in rows[0]] if rows else []
    if header[:2] != ["artist", "genre"]:
        raise SourceError(
            f"{path} does not begin with the columns artist, genre",
            fix="name a CSV of artist, genre and, optionally, count",
        )
    counted = header[2:3] == ["count"]
    table = pd.DataFrame(
        {
            "artist": pd.Series([row[0].strip().lower() for row in rows[1:]], dtype="str"),
            "genre": pd.Series([row[1].strip().lower() if len(row) > 1 else "" for row in rows[1:]], dtype="str"),
            "count": pd.to_numeric(
                pd.Series([row[2] if counted and len(row) > 2 else "1" for row in rows[1:]], dtype="str"),
                errors="coerce",
            ),
        }
    )
    bad = table[(table["artist"] == "") | (table["genre"] == "") | ~table["count"].between(0, MOST, inclusive="right")]
    if len(bad):
        first = f"{path}, line {lines[bad.index[0] + 1]}"
        raise SourceError(
            f"{first}: artist, genre or a count above 0 is missing ({len(bad)} such lines)",
            fix="repair or remove these lines",
        )
    return table.groupby(["artist", "genre"])["count"].sum().reset_index().astype({"count": "float64"})


def _rows(path: Path) -> tuple[list[list[str]], list[int]]:
    """The fields of every line that has some, and the lines' numbers in the file, from 1."""
    with open_text(path) as file:
        reader = csv.reader(file, skipinitialspace=True)
        try:
            numbered = [(row, reader.line_num) for row in reader if row]
        except csv.Error as error:
            raise SourceError(f"{path}, line {reader.line_num}: {error}", fix="repair or remove this line") from None
    return [row for row, _ in numbered], [line for _, line in numbered]
