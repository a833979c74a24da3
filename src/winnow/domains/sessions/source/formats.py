"""The formats a data set may have."""

from pathlib import Path

from winnow.domains.sessions.params import Source
from winnow.domains.sessions.source import events, hetrec, lightgcn
from winnow.domains.sessions.source.listening import Listening


def read(source: Source, path: Path) -> Listening:
    """What the data set holds; raises SourceError."""
    if source.events is not None:
        return events.read(path, source.events)
    return hetrec.read(path) if source.format == "lastfm_hetrec" else lightgcn.read(path)
