"""Which format a file of problems has, for `winnow init`."""

from collections.abc import Sequence
from pathlib import Path

from winnow.domains.climb import definitions
from winnow.domains.climb.source import formats
from winnow.pipeline.errors import SourceError
from winnow.pipeline.recognised import Recognised, left_out, unknown

LOOKED_FOR = (
    "JSON of moonboard.com, of the MoonBoard app, of a guidebook or of grades and moves; CSV with grade and holds"
)


def recognise(paths: Sequence[Path]) -> list[Recognised]:
    """One source for each file; raises SourceError for what is none."""
    return [_source(path) for path in paths]


def _source(path: Path) -> Recognised:
    if path.is_dir():
        raise unknown(path, LOOKED_FOR, [SourceError("it is a folder", fix=f"name its files: {path}/*")])
    try:
        form = formats.guess(path)
        problems = formats.read(form, path)
    except SourceError as error:
        raise unknown(path, LOOKED_FOR, [error]) from None
    rejected = list(problems.rejected[["row", "reason"]].itertuples(index=False, name=None))
    if problems.routes.empty:
        row, reason = rejected[0] if rejected else (0, "")
        why = f"none of its {len(rejected):,} rows can be used; row {row}: {reason}" if rejected else "it holds no row"
        raise unknown(path, LOOKED_FOR, [SourceError(why, fix="name a file that holds problems")])
    ungraded = int(problems.routes["grade"].isna().sum())
    known = f"a Font grade from {definitions.GRADES[0]} to {definitions.GRADES[-1]}"
    if ungraded == len(problems.routes):
        why = f"none of its {ungraded:,} routes has {known}"
        raise unknown(path, LOOKED_FOR, [SourceError(why, fix="write grades as 6A+ or 7A, not as V3")])
    told = f"{form}, {len(problems.routes):,} routes" + left_out(rejected)
    if ungraded:
        told += f", {ungraded:,} without {known}, which filter will drop"
    share = len(rejected) / (len(problems.routes) + len(rejected))
    return Recognised({"format": form, "path": path}, (path,), told, "full", share)
