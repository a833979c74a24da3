"""The formats a file of real problems may have."""

from pathlib import Path

from winnow.curate.delimited import check_text
from winnow.domains.climb.source import app, guidebook, minimal, table, web
from winnow.domains.climb.source.problems import Problems, looks_like, read_json
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
        case "csv":
            return table.read(path)
    raise SourceError(f"no format is named {form}", fix="web, app, guidebook, minimal or csv")


def guess(path: Path) -> str:
    """The format that a file looks like; raises SourceError when it looks like none."""
    if path.name.lower().removesuffix(".gz").endswith(".csv"):
        return "csv"
    check_text(path)
    document = read_json(path)
    form = looks_like(document)
    if form is None:
        values = document.values() if isinstance(document, dict) else [document]
        lists = [value for value in values if isinstance(value, list)]
        if lists and not any(lists):
            raise SourceError(f"{path} is empty: its list holds no problem", fix="export it again, or leave it out")
        cure = "web, app, guidebook, minimal or csv: data/source/climb/README.md describes them"
        if isinstance(document, dict) and all(isinstance(routes, list) for routes in document.values()):
            cure += "; routes that other models generated are named under climb.ingest.peers"
        raise SourceError(f"{path} looks like none of the formats", fix=cure)
    return form
