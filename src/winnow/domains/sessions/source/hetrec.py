"""HetRec 2011's Last.fm data set: user_artists.dat, with tags as genres. Its artists are our songs.

Cantador, Brusilovsky and Kuflik 2011. `user_taggedartists.dat`, `tags.dat` and `artists.dat` are read from beside it
when they are there.
"""

from pathlib import Path

import pandas as pd

from winnow.domains.sessions.source.listening import (
    Listening,
    beside,
    counted,
    no_genres,
    no_titles,
    part,
    plays_table,
    read_lines,
)
from winnow.pipeline.errors import SourceError

HEADER = ["userID", "artistID", "weight"]


def read(path: Path) -> Listening:
    """The listening of `user_artists.dat`; raises SourceError when it is something else."""
    table = _table(path, HEADER)
    counts, reasons = counted(table["weight"], "weight")
    reasons[(table["userID"] == "") | (table["artistID"] == "")] = "the user or the artist is missing"
    plays = plays_table({"user": table["userID"], "song": table["artistID"], "plays": counts}, table.index)
    plays, rejected = part(plays, reasons)
    return Listening(plays, _titles(path), _genres(path), rejected)


def _table(path: Path, header: list[str], encoding: str = "utf-8") -> pd.DataFrame:
    lines = read_lines(path, encoding)
    if not lines or lines[0].split("\t")[: len(header)] != header:
        raise SourceError(
            f"{path} does not begin with the line `{' '.join(header)}` (separated by TAB)",
            fix="name HetRec's user_artists.dat, or another format",
        )
    width = len(header)
    rows = {number: (line.split("\t") + [""] * width)[:width] for number, line in enumerate(lines, 1) if line.strip()}
    del rows[1]  # the header
    return pd.DataFrame(list(rows.values()), columns=header, index=list(rows), dtype="str")


def _titles(path: Path) -> "pd.Series[str]":
    file = beside(path, "artists.dat")
    if not file.exists():
        return no_titles()
    table = _table(file, ["id", "name"])
    return table.drop_duplicates("id").set_index("id")["name"]


def has_tags(path: Path) -> bool:
    """Whether the files that give artists their tags are beside `user_artists.dat`."""
    return all(file.exists() for file in _tag_files(path))


def _tag_files(path: Path) -> tuple[Path, Path]:
    return beside(path, "user_taggedartists.dat"), beside(path, "tags.dat")


def _genres(path: Path) -> pd.DataFrame:
    """Which artist was given which tag by whom; tags that differ in case alone are one."""
    if not has_tags(path):
        return no_genres()
    assigned, tags = _tag_files(path)
    names = _table(tags, ["tagID", "tagValue"], "latin-1").drop_duplicates("tagID").set_index("tagID")["tagValue"]
    given = _table(assigned, ["userID", "artistID", "tagID"])
    genre = given["tagID"].map(names).astype("str").str.strip().str.lower()
    found = pd.DataFrame({"song": given["artistID"], "genre": genre, "user": given["userID"]}).dropna()
    return found[found["genre"] != ""].drop_duplicates().assign(count=1.0)
