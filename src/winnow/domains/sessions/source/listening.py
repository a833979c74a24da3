"""What every source gives, and what its readers share."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from winnow.pipeline.reading import UNREADABLE, read_packed, reading

PLAYS = {
    "user": "str",
    "song": "str",
    "timestamp": "Int64",
    "plays": "int64",
    "share_played": "float64",
    "skipped": "boolean",
    "official_split": "str",
}
"""The columns of a source's plays and their types; `row` is the play's line in the file, from 1."""


MOST_PLAYS = 2**31 - 1
"""More plays of one song than anybody can have listened to, so that sums of counts stay exact."""


@dataclass(frozen=True)
class Listening:
    """What one data set holds."""

    plays: pd.DataFrame
    """row (in the file) and the columns of PLAYS"""
    titles: "pd.Series[str]"
    """song → title, for songs that have one"""
    genres: pd.DataFrame
    """song, genre, user (who tagged it; missing where the source does not say), count"""
    rejected: pd.DataFrame
    """row, reason"""


def plays_table(columns: Mapping[str, object], rows: "pd.Index[int]") -> pd.DataFrame:
    """The columns of PLAYS, in their types, from those given; what is not given is missing, and `plays` is 1."""
    table = pd.DataFrame({"row": rows, **columns})
    if "plays" not in table:
        table["plays"] = 1
    for name, kind in PLAYS.items():
        if name not in table:
            table[name] = pd.Series(None, index=table.index, dtype=kind)
    return table[["row", *PLAYS]].astype(PLAYS)


def part(plays: pd.DataFrame, reasons: "pd.Series[str]") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Plays without a reason against them, and (row, reason) of the others."""
    bad = reasons.notna()
    rejected = pd.DataFrame({"row": plays.loc[bad, "row"], "reason": reasons[bad]})
    return plays[~bad].reset_index(drop=True), rejected.reset_index(drop=True)


def counted(text: "pd.Series[str]", name: str) -> "tuple[pd.Series[int], pd.Series[str]]":
    """Numbers of plays, and the reason against each text that is none (its number is 1)."""
    count = pd.to_numeric(text, errors="coerce")
    countable = count.between(1, MOST_PLAYS) & (count % 1 == 0)
    reasons: pd.Series[str] = pd.Series(None, index=text.index, dtype="str")
    wrong = text[~countable]
    reasons[~countable] = quoted(f"the {name} is no whole number of plays from 1 to {MOST_PLAYS:,}", wrong)
    return count.where(countable, 1).astype("int64"), reasons


def quoted(reason: str, values: "pd.Series[str]") -> "pd.Series[str]":
    """The reason with each of the values that it is about, cut where they are long."""
    return values.map(lambda value: f"{reason}: {value!r:.40}").astype("str")


def of_songs(genres: pd.DataFrame) -> pd.DataFrame:
    """Genres (song, genre, count) that the source itself gives: they come from no user."""
    return genres.assign(user=pd.Series(None, index=genres.index, dtype="str"))


def no_genres() -> pd.DataFrame:
    return of_songs(
        pd.DataFrame({"song": pd.Series(dtype="str"), "genre": pd.Series(dtype="str"), "count": np.zeros(0)})
    )


def no_titles() -> "pd.Series[str]":
    return pd.Series(dtype="str", index=pd.Index([], dtype="str"))


def read_lines(path: Path, encoding: str = "utf-8") -> list[str]:
    """The lines of a text file, plain or gzip; raises SourceError when it cannot be read."""
    fix = "copy the file again; .gz files must be gzip"
    with reading(path, UNREADABLE, fix=fix):
        return read_packed(path, fix=fix).decode(encoding).splitlines()


def beside(path: Path, name: str) -> Path:
    """The file of another name in the same data set, with the same compression."""
    return path.with_name(name + (".gz" if path.suffix == ".gz" else ""))
