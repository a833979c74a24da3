"""LightGCN's and NGCF's files: train.txt and test.txt, `user item item …`, with the official split kept."""

from pathlib import Path

import pandas as pd

from winnow.domains.sessions.source.listening import (
    Listening,
    beside,
    no_genres,
    no_titles,
    part,
    plays_table,
    quoted,
    read_lines,
)
from winnow.pipeline.errors import SourceError


def read(path: Path) -> Listening:
    """Both files' pairs; raises SourceError when test.txt is missing. `row` is the line in its file, from 1."""
    test = beside(path, "test.txt")
    if not test.exists():
        raise SourceError(f"{test} does not exist", fix="put test.txt beside train.txt, under these names")
    pairs = [pair for split, file in (("train", path), ("test", test)) for pair in _pairs(file, split)]
    if not pairs:
        raise SourceError(f"{path} and {test} hold no pair of user and item", fix="lines read `user item item …`")
    table = pd.DataFrame(pairs, columns=["row", "user", "song", "official_split"]).astype(
        {"user": "str", "song": "str"}
    )
    reasons: pd.Series[str] = pd.Series(None, index=table.index, dtype="str")
    wrong = ~(table["user"].str.isdecimal() & table["song"].str.isdecimal())
    named = table["official_split"] + ".txt, " + table["user"] + " " + table["song"]
    reasons[wrong] = quoted("the user or an item is no number", named[wrong])
    plays = plays_table({name: table[name] for name in ("user", "song", "official_split")}, pd.Index(table["row"]))
    plays, rejected = part(plays, reasons)
    return Listening(plays, no_titles(), no_genres(), rejected)


def _pairs(path: Path, split: str) -> list[tuple[int, str, str, str]]:
    pairs = []
    for row, line in enumerate(read_lines(path), 1):
        user, *items = line.split() or [""]
        pairs += [(row, user, item, split) for item in items]
    return pairs
