"""Genres of artists, from a CSV of the user's: artist, genre and, if it has a third column, count."""

from pathlib import Path

import pandas as pd

from winnow.curate.delimited import read_delimited
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
    numbered = [(number, row) for number, row in enumerate(read_delimited(path, skip_blanks=True), 1) if row]
    lines, rows = [number for number, _ in numbered], [row for _, row in numbered]
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
