"""What listening data need besides being named, for `winnow init`."""

from collections.abc import Mapping, Sequence
from typing import Any

from winnow.domains.sessions.definitions import may_have_genres
from winnow.pipeline.recognised import Needs, Setting


def needs(sources: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> Needs:
    """A model that learns from genres, such as that of a preset, gives way to one that does not."""
    tells = any(may_have_genres(each["format"], (each.get("events") or {}).get("genre")) for each in sources)
    if not sources or tells or params["train"]["model"] != "genre_gat":
        return Needs()
    return Needs((Setting("train.model", "gat", "no song has a genre, and genre_gat learns from genres"),))
