"""
Lists of titles as people have them: JSON, M3U, CSV, or one title a line. Loads no torch.

A list may have a name, and a title an artist and an id. What a format calls these is recognised by the usual names,
those of the Million Playlist Dataset and of exports among them.
"""

import csv
import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from winnow.pipeline.errors import SourceError
from winnow.pipeline.reading import read_packed, reading

FORMATS = ("json", "m3u", "csv", "lines")
ENDINGS = {".json": "json", ".m3u": "m3u", ".m3u8": "m3u", ".csv": "csv", ".tsv": "csv", ".txt": "lines"}
USERS = (
    "user", "user_id", "userid", "username", "user_name", "listener", "listener_id", "listener_name", "member",
    "member_id", "member_name",
)  # fmt: skip
"""The usual names of the column of who has heard a song, as `name_of` writes them."""
KEYS = {
    "title": ("title", "track_name", "trackname", "track", "song", "song_name", "track_title", "song_title", "name"),
    "artist": ("artist", "artist_name", "artistname", "artist_name_s", "artists", "artname", "band"),
    "id": ("id", "track_uri", "uri", "spotify_uri", "track_id", "song_id"),
    "list": ("playlist", "playlist_name", "playlistname", "pid", *USERS),
}
"""The names of keys and columns, as `name_of` writes them; the first that is there counts."""
TRACKS = ("tracks", "songs", "items", "likes")
LISTS = ("playlists", "lists")


@dataclass(frozen=True)
class Wanted:
    """A title as it was typed."""

    title: str
    artist: str = ""
    id: str = ""

    @property
    def full_name(self) -> str:
        return f"{self.artist} – {self.title}" if self.artist else self.title or self.id


@dataclass(frozen=True)
class TypedList:
    """Some titles, in order, and the list's name, which may be empty as the titles may."""

    titles: tuple[Wanted, ...]
    name: str = ""


def read_file(path: Path, form: str | None = None) -> list[TypedList]:
    """The lists of a file; raises SourceError when it cannot be read or holds something else."""
    content = read_packed(path, fix="name a file, or - for standard input")
    return read_lists(decode(content), form or ENDINGS.get(path.suffix.lower()), str(path))


def read_typed(path: Path, form: str | None = None) -> list[TypedList]:
    """`read_file`; - is standard input."""
    if str(path) == "-":
        return read_lists(decode(sys.stdin.buffer.read()), form, "standard input")
    return read_file(path, form)


def decode(content: bytes) -> str:
    """The text of a file: UTF-8 or UTF-16 with a mark, else Windows-1252, which old M3U files have."""
    if content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def read_lists(text: str, form: str | None = None, where: str = "the input") -> list[TypedList]:
    """The lists of a text in one of `FORMATS`, which is recognised by its beginning where `form` is None."""
    found: dict[str, Callable[[str], list[TypedList]]] = {
        "json": _json,
        "m3u": _m3u,
        "lines": _lines,
        "csv": partial(_csv, where=where),
    }
    if "\0" in text:
        raise SourceError(f"{where} is no list of titles: it is not text", fix="name a JSON, M3U, CSV or text file")
    form = form or _recognise(text)
    if form not in found:
        raise SourceError(f"there is no format {form}", fix=f"one of {', '.join(FORMATS)}")
    with reading(where, f"is no {form} of titles", fix=f"--format, one of {', '.join(FORMATS)}"):
        return found[form](text)


def _recognise(text: str) -> str:
    start = text.lstrip()
    if start[:7].upper() == "#EXTM3U":
        return "m3u"
    if start[:1] in {"[", "{"}:
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return "lines"
        return "json"
    first = [name_of(each) for each in re.split(r"[,;\t]", start.partition("\n")[0])]
    return "csv" if len(first) > 1 and set(first) & {*KEYS["title"][:-1], *KEYS["artist"]} else "lines"


def name_of(column: str) -> str:
    """The name of a column or key for comparison: `Artist Name(s)` is artist_name_s."""
    return re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_")


def _lines(text: str) -> list[TypedList]:
    names = (line.strip() for line in text.splitlines())
    return [TypedList(tuple(Wanted(name) for name in names if name))]


def _m3u(text: str) -> list[TypedList]:
    """Of an entry what #EXTINF says, else the file's name without its number."""
    name, told, titles = "", "", []
    for line in (line.strip() for line in text.splitlines()):
        if line.upper().startswith("#PLAYLIST:"):
            name = line[10:].strip()
        elif line.upper().startswith("#EXTINF:"):
            told = line.partition(",")[2].strip()
        elif line and not line.startswith("#"):
            stem = PurePosixPath(line.replace("\\", "/")).stem
            titles.append(Wanted(told or re.sub(r"^\d+[ .\-_]+", "", stem)))
            told = ""
    return [TypedList(tuple(titles), name)]


def _csv(text: str, where: str) -> list[TypedList]:
    """A row is a title; rows of the same playlist, where there is such a column, are one list."""
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    rows = csv.DictReader(io.StringIO(text), delimiter=separator, skipinitialspace=True)
    named = {name_of(str(each)): str(each) for each in rows.fieldnames or ()}
    columns = {what: next((named[key] for key in keys if key in named), None) for what, keys in KEYS.items()}
    if columns["title"] is None and columns["id"] is None:  # what is liked may be artists
        columns |= {"title": columns["artist"], "artist": None}
    if columns["title"] is None and columns["id"] is None:
        raise SourceError(
            f"none of the columns {', '.join(map(str, rows.fieldnames or ()))[:200]} is known to hold titles",
            where=where,
            fix="rename the column of the titles to `title`, or that of the artists to `artist`; a file without a "
            "header, of a title a line, takes `--format lines`",
        )
    lists: dict[str, list[Wanted]] = {}
    for row in rows:
        told = {what: (row.get(column) or "").strip() if column else "" for what, column in columns.items()}
        if told["title"] or told["id"]:
            lists.setdefault(told["list"], []).append(Wanted(told["title"], told["artist"], told["id"]))
    return [TypedList(tuple(titles), name) for name, titles in lists.items()] or [TypedList(())]


def _json(text: str) -> list[TypedList]:
    content = json.loads(text)
    if isinstance(content, dict):
        several = next((content[key] for key in LISTS if isinstance(content.get(key), list)), None)
        return [_list(content)] if several is None else [_list(each) for each in several]
    if isinstance(content, list):
        whole = any(isinstance(each, list) or (isinstance(each, dict) and _has_tracks(each)) for each in content)
        return [_list(each) for each in content] if whole else [_list(content)]
    raise ValueError("neither a list nor an object")


def _has_tracks(content: dict[str, Any]) -> bool:
    return any(isinstance(content.get(key), list) for key in TRACKS)


def _list(content: Any) -> TypedList:
    if isinstance(content, list):
        return TypedList(tuple(_titles(content)))
    if not isinstance(content, dict):
        raise ValueError(f"{str(content)[:40]!r} is no list of titles")
    tracks: list[Any] = next((content[key] for key in TRACKS if isinstance(content.get(key), list)), [])
    name = next((_text(content[key]) for key in ("name", "title", *KEYS["list"]) if content.get(key)), "")
    if not _has_tracks(content) and not name:
        keys = ", ".join(map(str, content)) or "none"
        raise ValueError(f"an object needs one of the keys {', '.join(TRACKS)}, or a name; it has {keys[:80]}")
    return TypedList(tuple(_titles(tracks)), name)


def _titles(content: list[Any]) -> Iterator[Wanted]:
    for each in content:
        told = each.get("track") if isinstance(each, dict) and isinstance(each.get("track"), dict) else each
        if isinstance(told, dict):
            lower = {name_of(str(key)): value for key, value in told.items()}
            values = {what: next((lower[key] for key in keys if lower.get(key)), "") for what, keys in KEYS.items()}
            yield Wanted(_text(values["title"]), _text(values["artist"]), _text(values["id"]))
        elif isinstance(told, str | int | float):
            if _text(told):
                yield Wanted(_text(told))
        elif told is not None:
            raise ValueError(f"{str(told)[:40]!r} is no title")


def _text(value: Any) -> str:
    """As text: of several artists the first, and of an object its name."""
    if isinstance(value, list):
        value = value[0] if value else ""
    if isinstance(value, dict):
        value = value.get("name")
    return "" if value is None else str(value).strip()
