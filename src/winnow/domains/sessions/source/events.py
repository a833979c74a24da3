"""An event log: one line per play, or per number of plays, as CSV, TSV or Parquet; params.yaml names its columns."""

from pathlib import Path

import pandas as pd
from pyarrow import parquet

from winnow.curate.delimited import read_delimited
from winnow.domains.sessions.params import Column, Events
from winnow.domains.sessions.source.listening import (
    Listening,
    counted,
    no_genres,
    no_titles,
    of_songs,
    part,
    plays_table,
    quoted,
)
from winnow.pipeline.errors import SourceError
from winnow.pipeline.reading import reading

JOIN = " – "
PARQUET_ROWS = 500_000
"""One row a byte and so many more are read: plays, each with its time, never pack more tightly; a bomb does."""
TRUE, FALSE = {"true", "1", "yes", "t"}, {"false", "0", "no", "f"}


def read(path: Path, events: Events) -> Listening:
    """The plays of an event log; raises SourceError when it or a column that is named cannot be found."""
    table = _parquet(path) if path.suffix == ".parquet" else _text(path, header=events.header)
    if path.suffix == ".parquet":
        table.index += 1
    texts = {name: _column(path, table, getattr(events, name)) for name in ("user", "timestamp", "genre")}
    items = [_column(path, table, column) for column in events.item]
    song = items[0]
    for more in items[1:]:
        song = song + JOIN + more
    lengths = _column(path, table, events.share_played)
    share = pd.to_numeric(lengths, errors="coerce")
    named = events.plays is not None
    text = _column(path, table, events.plays) if named else pd.Series("1", index=table.index, dtype="str")
    counts, reasons = counted(text, f"number in {events.plays!r}" if named else "")
    columns: dict[str, pd.Series] = {
        "user": texts["user"].str.strip(),
        "song": song.str.strip(),
        "timestamp": seconds(texts["timestamp"]),
        "skipped": _truth(_column(path, table, events.skipped)),
        "share_played": share.where(share.between(0, 1)),
        "plays": counts,
    }
    unusable = (lengths != "") & columns["share_played"].isna()
    reasons[unusable] = quoted("the share played is no number of 0 to 1", lengths[unusable])
    unusable = (texts["timestamp"] != "") & columns["timestamp"].isna()
    reasons[unusable] = quoted(
        "the timestamp is neither seconds since 1970 nor like 2024-05-01T12:00:00", texts["timestamp"][unusable]
    )
    missing = (items[0].str.strip() == "") | (items[-1].str.strip() == "")
    reasons[(columns["user"] == "") | missing] = "the user or the song is missing"
    plays, rejected = part(plays_table(columns, table.index), reasons)
    return Listening(plays, no_titles(), _genres(columns["song"], texts["genre"], reasons.isna()), rejected)


def _parquet(path: Path) -> pd.DataFrame:
    with reading(path, "is not a readable Parquet file", fix="write it again"):
        rows, most = parquet.read_metadata(path).num_rows, PARQUET_ROWS + path.stat().st_size
        if rows > most:
            raise ValueError(f"{rows:,} rows come out of it, and at most {most:,} of a file of its size")
        texts = {
            str(name): column.astype("object").where(column.notna(), "").astype("str")
            for name, column in pd.read_parquet(path).items()
        }
        return pd.DataFrame(texts)


def _text(path: Path, *, header: bool) -> pd.DataFrame:
    usual = "," if path.name.removesuffix(".gz").endswith(".csv") else "\t"
    # a header tells the delimiter; without one the first line is data, and a title may hold more commas than there are
    lines = enumerate(read_delimited(path, delimiter=None if header else usual, plain_tabs=True), 1)
    numbered = [(number, row) for number, row in lines if row]
    names = numbered.pop(0)[1] if header and numbered else []
    rows = [row for _, row in numbered]
    if not rows:
        raise SourceError(f"{path} holds no play", fix="name a file with one line per play")
    width = max(len(names), *(len(row) for row in rows))
    names = (names + [""] * width)[:width]
    table = pd.DataFrame(
        [row + [""] * (width - len(row)) for row in rows], index=[number for number, _ in numbered], dtype="str"
    )
    table.columns = pd.Index([name or str(index) for index, name in enumerate(names)])
    return table


def _column(path: Path, table: pd.DataFrame, column: Column | None) -> "pd.Series[str]":
    """A column as text; empty where nothing is named. Of two columns with the same name the first is meant."""
    if column is None:
        return pd.Series("", index=table.index, dtype="str")
    if isinstance(column, int) and 0 <= column < table.shape[1]:
        return table.iloc[:, column]
    places = [index for index, name in enumerate(table.columns) if name == column]
    if not places:
        raise SourceError(
            f"{path} has no column {column!r}",
            where=f"its columns: {', '.join(map(str, table.columns))}",
            fix="name the columns in `events` of params.yaml, or for `evaluate` with --user-column, --item-column and "
            "the like; a log without a header takes `header: false` or --no-header, and places from 0 to "
            f"{table.shape[1] - 1}",
        )
    return table.iloc[:, places[0]]


def seconds(text: "pd.Series[str]") -> "pd.Series[int]":
    """Seconds since 1970 from numbers or ISO 8601 times (UTC where no time zone is given); missing where neither."""
    number = pd.to_numeric(text, errors="coerce")
    times = pd.to_datetime(text.where(number.isna() & (text != "")), errors="coerce", utc=True, format="ISO8601")
    from_text = (times - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(seconds=1)
    return number.where(number.between(0, 2**40)).round().astype("Int64").fillna(from_text.astype("Int64"))


def _truth(text: "pd.Series[str]") -> "pd.Series[bool]":
    lower = text.str.strip().str.lower()
    known = lower.where(lower.isin(TRUE | FALSE))
    return known.isin(TRUE).astype("boolean").where(known.notna())


def _genres(song: "pd.Series[str]", genre: "pd.Series[str]", good: "pd.Series[bool]") -> pd.DataFrame:
    rows = pd.DataFrame({"song": song[good], "genre": genre[good].str.lower().str.split("|")}).explode("genre")
    rows["genre"] = rows["genre"].str.strip()
    rows = rows[rows["genre"].fillna("") != ""]
    return of_songs(rows.groupby(["song", "genre"]).size().rename("count").reset_index()) if len(rows) else no_genres()
