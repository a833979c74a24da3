"""Which format listening data have, for `winnow init`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pyarrow import parquet

from winnow.curate.delimited import read_delimited
from winnow.domains.sessions.source.events import seconds
from winnow.pipeline.errors import SourceError
from winnow.pipeline.reading import reading
from winnow.pipeline.recognised import Recognised, unknown
from winnow.recommend.typed import USERS, name_of

BESIDE = {
    "user_artists.dat": ("lastfm_hetrec", ("user_taggedartists.dat", "tags.dat", "artists.dat")),
    "train.txt": ("lightgcn", ("test.txt",)),
}
"""Files with a name of their own: their format, and those that are read from beside them."""
NAMES = {
    "user": USERS,
    "item": (
        "song",
        "song_id",
        "track",
        "track_id",
        "item",
        "item_id",
        "track_name",
        "trackname",
        "title",
        "song_name",
        "track_title",
        "song_title",
    ),
    "timestamp": ("timestamp", "time", "played_at", "listened_at", "datetime", "date", "ts"),
    "genre": ("genre", "genres"),
    "skipped": ("skipped", "skip"),
    "share_played": ("share_played", "played_share"),
    "plays": ("plays", "play_count", "playcount", "count", "listens", "scrobbles", "times_played", "weight"),
}
"""The usual names of an event log's columns, in lower case; the first that is there counts."""
TITLES = ("song", "track", "track_name", "trackname", "title", "song_name", "track_title", "song_title")
"""Those of an item that may name songs by their titles, which two artists can share."""
ARTISTS = ("artist", "artist_name", "artistname", "artname", "band")
"""The usual names of the artist's column, which belongs to a title, and is the item where there is none."""
LOOKED_FOR = (
    "user_artists.dat (Last.fm, HetRec), train.txt (LightGCN), or an event log (.csv, .tsv, .txt, .parquet) with "
    f"a column of the user ({', '.join(NAMES['user'])}) and one of the song ({', '.join(NAMES['item'])}), or of the "
    f"artist alone; where known of the artist ({', '.join(ARTISTS)}), the time ({', '.join(NAMES['timestamp'])}), "
    f"the genre ({', '.join(NAMES['genre'])}) and the number of plays ({', '.join(NAMES['plays'])})"
)


LISTS = (".m3u", ".m3u8", ".json")
"""Endings of files that hold somebody's titles."""


def recognise(paths: Sequence[Path]) -> list[Recognised]:
    """One source for each data set, with the files read from beside it. Raises SourceError for what is none."""
    others = {beside for _, names in BESIDE.values() for beside in names}
    named = [_inside(path) if path.is_dir() else path for path in paths]
    chosen = [path for path in named if _plain(path) not in others] or named
    return [_source(path) for path in chosen]


def _inside(folder: Path) -> Path:
    """The file of a folder that tells its format by its name."""
    found = [each for name in BESIDE for end in ("", ".gz") if (each := folder / f"{name}{end}").is_file()]
    if len(found) != 1:
        held = " and ".join(each.name for each in found) or f"neither {' nor '.join(BESIDE)}"
        why = f"the folder holds {held}; of an event log, name the file"
        raise unknown(folder, LOOKED_FOR, [SourceError(why, fix=f"winnow init sessions {folder}/FILE")])
    return found[0]


def _plain(path: Path) -> str:
    return path.name.removesuffix(".gz")


def _check_file(path: Path) -> None:
    """Raise SourceError for what is no file, an empty one, or one that somebody's titles are in."""
    if not path.is_file():
        raise unknown(path, LOOKED_FOR)
    if path.suffix.lower() in LISTS:
        fix = "`winnow sessions recommend --file` takes it; a data set has the plays of many users"
        raise unknown(path, LOOKED_FOR, [SourceError("it is a list of titles", fix=fix)])
    if not path.stat().st_size:
        raise unknown(path, LOOKED_FOR, [SourceError("it is empty", fix="name a file with a line for each play")])


def _source(path: Path) -> Recognised:
    _check_file(path)
    if _plain(path) in BESIDE:
        form, names = BESIDE[_plain(path)]
        beside = [path.with_name(name + end) for name in names for end in ("", ".gz")]
        copied = (path, *(each for each in beside if each.is_file()))
        told = ", ".join(each.name for each in copied)
        preset = "lastfm" if form == "lastfm_hetrec" else ""
        return Recognised({"format": form, "path": path, "events": None}, copied, f"{form}: {told}", preset)
    try:
        if path.suffix == ".parquet":
            with reading(path, "is not a readable Parquet file", fix="write it again"):
                columns, holds_plays, lines = parquet.read_schema(path).names, True, None
        else:
            columns, *lines = read_delimited(path)
            holds_plays = any(lines)
    except SourceError as error:
        raise unknown(path, LOOKED_FOR, [error]) from None
    by_name = {name_of(column): column.strip() for column in columns}
    found: dict[str, Any] = {
        what: next((by_name[name] for name in names if name in by_name), None) for what, names in NAMES.items()
    }
    artist = next((by_name[name] for name in ARTISTS if name in by_name), None)
    if found["item"] is None:
        found["item"], artist = artist, None
    if found["user"] is None and found["item"] is not None:
        why = SourceError(
            f"it has no column of the user among {', '.join(columns)}",
            fix="name that column `user`; the plays of one listener are no data set, but "
            "`winnow sessions recommend --file` takes them",
        )
        raise unknown(path, LOOKED_FOR, [why])
    if missing := [what for what in ("user", "item") if found[what] is None]:
        why = SourceError(
            f"it has no column of the {' and '.join(missing)} among {', '.join(columns) or 'none'}; if that line is a "
            "play, because the log has no header, name it in params.yaml with `events: header: false` and positions",
            fix="see data/source/sessions/README.md, or rename the columns",
        )
        raise unknown(path, LOOKED_FOR, [why])
    if not holds_plays:
        raise unknown(path, LOOKED_FOR, [SourceError("it holds no play below its header")])
    titled = artist is not None and found["item"] in {by_name.get(name) for name in TITLES}
    item = [artist, found["item"]] if titled else [found["item"]]
    note = _take_out(found, path, columns, lines)
    used = {*found.values(), artist, *(by_name.get(name) for name in (*NAMES["timestamp"], *NAMES["genre"]))}
    if unused := [column for each in columns if (column := each.strip()) and column not in used]:
        note += f"; not used: {', '.join(map(repr, unused))} (see `events` in data/source/sessions/README.md)"
    events = {"header": True, **found, "item": item}
    told = ", ".join(
        f"{what} is {' and '.join(map(repr, item)) if what == 'item' else repr(column)}"
        for what, column in found.items()
        if column
    )
    return Recognised({"format": "events", "path": path, "events": events}, (path,), f"events: {told}{note}")


def _take_out(found: dict[str, Any], path: Path, columns: Sequence[str], lines: Sequence[Sequence[str]] | None) -> str:
    """Take the columns that nothing can be read of out of those `found`; gives what is to be told of them."""
    note = ""
    if found["genre"] is not None and not _is_filled(path, columns, lines, found["genre"]):
        note += f"; the column {found['genre']!r} is empty: no song has a genre"
        found["genre"] = None
    if lines is not None and found["timestamp"] and not _are_times(columns, lines, found["timestamp"]):
        note += f"; not used: the times in {found['timestamp']!r}, which are neither ISO 8601 nor seconds since 1970"
        found["timestamp"] = None
    return note


def _are_times(columns: Sequence[str], lines: Sequence[Sequence[str]], name: str) -> bool:
    """Whether any of the first lines has a time in a column that `events.read` understands."""
    place = [column.strip() for column in columns].index(name)
    return bool(seconds(pd.Series([line[place] for line in lines if len(line) > place], dtype="str")).notna().any())


def _is_filled(path: Path, columns: Sequence[str], lines: Sequence[Sequence[str]] | None, name: str) -> bool:
    """Whether any play has a value in a column; `lines` are those of a text file."""
    if lines is None:
        with reading(path, "is not a readable Parquet file", fix="write it again"):
            values = parquet.read_table(path, columns=[name])[name].drop_null()
            return any(str(each).strip() for each in values.unique().to_pylist())
    place = [column.strip() for column in columns].index(name)
    return any(line[place].strip() for line in lines if len(line) > place)
