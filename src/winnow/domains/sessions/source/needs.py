"""What listening data need besides being named, for `winnow init`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from winnow.domains.sessions.definitions import may_have_genres
from winnow.domains.sessions.source import hetrec
from winnow.pipeline.recognised import Needs, Setting


def needs(sources: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> Needs:
    """A model that learns from genres, such as that of a preset, gives way to one that does not."""
    tells = any(map(_tells, sources))
    if not sources or tells or params["train"]["model"] != "genre_gat":
        return Needs()
    return Needs((Setting("train.model", "gat", "no song has a genre, and genre_gat learns from genres"),))


def _tells(source: Mapping[str, Any]) -> bool:
    """Whether a source names genres, and for Last.fm the files of tags are there."""
    named = may_have_genres(source["format"], (source.get("events") or {}).get("genre"))
    return named and (source["format"] != "lastfm_hetrec" or hetrec.has_tags(Path(source["path"])))
