"""Which format a folder of pages has, for `winnow init`."""

from collections.abc import Sequence
from pathlib import Path

from winnow.domains.documents.source import formats
from winnow.domains.documents.source.records import Record
from winnow.images.listing import Listing
from winnow.pipeline.errors import SourceError
from winnow.pipeline.recognised import Recognised, left_out, unknown

LOOKED_FOR = "a folder with metadata.csv (or its only CSV) that labels pages, or a folder of clean pages"
SCALE = "correct the CSV; scores go from 0 to 1: divide those of 0 to 100 by 100"
LABELS = "labels are read from columns quality_score, quality_class and issues"


def recognise(paths: Sequence[Path]) -> list[Recognised]:
    """One source for each folder; of a CSV its folder. Raises SourceError for what is none."""
    return [_source(path) for path in paths]


def _source(path: Path) -> Recognised:
    folder = path if path.is_dir() else path.parent
    labelled = path.suffix.lower() == ".csv" or (path.is_dir() and any(path.glob("*.csv")))
    form = "labelled" if labelled else "clean_pages"
    told = ""
    try:
        try:
            listing = formats.read(form, path)
        except formats.NoLabelsError as error:
            if not path.is_dir():
                raise
            form, told = "clean_pages", f" ({error.what}, so the folder is taken as clean pages; {LABELS})"
            listing = formats.read(form, path)
    except SourceError as error:
        raise unknown(path, LOOKED_FOR, [error]) from None
    if not listing.records:
        why = "it has no row" if not listing.rows else "no row can be used" + _left_out(listing)
        raise unknown(path, LOOKED_FOR, [SourceError(why, fix=SCALE)])
    preset = "own_pages" if form == "clean_pages" else ""
    source = {"format": form, "path": path}
    return Recognised(source, (folder,), _told(form, listing) + told, preset, listing.rejected_share)


def _told(form: str, listing: Listing[Record]) -> str:
    return f"{form}, {len(listing.records):,} files of pages" + _left_out(listing)


def _left_out(listing: Listing[Record]) -> str:
    return left_out([(row, reason) for row, _, reason in listing.rejected])
