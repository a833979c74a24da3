"""Which format listening data have, for `winnow init`."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyarrow import parquet

from winnow.curate.delimited import read_delimited
from winnow.pipeline.errors import SourceError
from winnow.pipeline.reading import reading
from winnow.pipeline.recognised import Recognised, unknown

BESIDE = {
    "user_artists.dat": ("lastfm_hetrec", ("user_taggedartists.dat", "tags.dat", "artists.dat")),
    "train.txt": ("lightgcn", ("test.txt",)),
}
"""Files with a name of their own: their format, and those that are read from beside them."""
NAMES = {
    "user": ("user", "user_id", "userid", "username", "user_name", "listener"),
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
    ),
    "timestamp": ("timestamp", "time", "played_at", "listened_at", "datetime", "date", "ts"),
    "genre": ("genre", "genres"),
    "skipped": ("skipped", "skip"),
    "share_played": ("share_played", "played_share"),
}
"""The usual names of an event log's columns, in lower case; the first that is there counts."""
LOOKED_FOR = (
    "user_artists.dat (Last.fm, HetRec), train.txt (LightGCN), or an event log (.csv, .tsv, .txt, .parquet) with "
    f"a column {'/'.join(NAMES['user'][:3])} and one of {', '.join(NAMES['item'])}"
)


def recognise(paths: Sequence[Path]) -> list[Recognised]:
    """One source for each data set, with the files read from beside it. Raises SourceError for what is none."""
    others = {beside for _, names in BESIDE.values() for beside in names}
    chosen = [path for path in paths if _plain(path) not in others] or list(paths)
    return [_source(path) for path in chosen]


def _plain(path: Path) -> str:
    return path.name.removesuffix(".gz")


def _source(path: Path) -> Recognised:
    if not path.is_file():
        raise unknown(path, LOOKED_FOR)
    if _plain(path) in BESIDE:
        form, names = BESIDE[_plain(path)]
        beside = [path.with_name(name + end) for name in names for end in ("", ".gz")]
        copied = (path, *(each for each in beside if each.is_file()))
        told = ", ".join(each.name for each in copied)
        return Recognised({"format": form, "path": path, "events": None}, copied, f"{form}: {told}")
    try:
        if path.suffix == ".parquet":
            with reading(path, "is not a readable Parquet file", fix="write it again"):
                columns, holds_plays = parquet.read_schema(path).names, True
        else:
            columns, *lines = read_delimited(path)
            holds_plays = any(lines)
    except SourceError as error:
        raise unknown(path, LOOKED_FOR, [error]) from None
    by_name = {re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_"): column.strip() for column in columns}
    found: dict[str, Any] = {
        what: next((by_name[name] for name in names if name in by_name), None) for what, names in NAMES.items()
    }
    if missing := [what for what in ("user", "item") if found[what] is None]:
        why = SourceError(f"it has no column of the {' and '.join(missing)} among {', '.join(columns) or 'none'}")
        raise unknown(path, LOOKED_FOR, [why])
    if not holds_plays:
        raise unknown(path, LOOKED_FOR, [SourceError("it holds no play below its header")])
    events = {"header": True, **found, "item": [found["item"]]}
    told = ", ".join(f"{what} is {column!r}" for what, column in found.items() if column)
    return Recognised({"format": "events", "path": path, "events": events}, (path,), f"events: {told}")
