"""The formats a file of real problems may have."""

from pathlib import Path

from winnow.domains.climb.source import app, guidebook, minimal, web
from winnow.domains.climb.source.problems import Problems
from winnow.pipeline.errors import SourceError


def read(form: str, path: Path) -> Problems:
    """The problems of one file of a format; raises SourceError."""
    match form:
        case "web":
            return web.read(path)
        case "app":
            return app.read(path)
        case "guidebook":
            return guidebook.read(path)
        case "minimal":
            return minimal.read(path)
    raise SourceError(f"no format is named {form}", fix="web, app, guidebook or minimal")
