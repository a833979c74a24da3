"""Which format playlists have, for `winnow init`."""

from collections.abc import Sequence
from pathlib import Path

from winnow.domains.playlists.source import formats
from winnow.pipeline.errors import SourceError
from winnow.pipeline.recognised import Recognised, unknown

LOOKED_FOR = (
    "a folder of mpd.slice.*.json or one slice (Million Playlist Dataset), "
    "a CSV with user, artist, track and playlist, or a folder of CSVs, one for each playlist"
)


def recognise(paths: Sequence[Path]) -> list[Recognised]:
    """One source for each file or folder; raises SourceError for what is none."""
    return [_source(path) for path in paths]


def _source(path: Path) -> Recognised:
    if path.is_dir() and any(path.glob("*.m3u*")):
        fix = "write each list as a CSV with artist and title, and name the folder of these"
        raise unknown(path, LOOKED_FOR, [SourceError("it is a folder of M3U", fix=fix)])
    form = formats.guess(path)
    try:
        first = next(iter(formats.read(form, path)), None)
    except SourceError as error:
        raise unknown(path, LOOKED_FOR, [error]) from None
    if first is None or first.entries.empty:
        raise unknown(path, LOOKED_FOR, [SourceError("its beginning holds no track that can be used")])
    told = f"{form}, {len(first.entries):,} tracks in its first {'file' if path.is_dir() else 'part'}"
    return Recognised({"format": form, "path": path}, (path,), told, preset="balanced")
