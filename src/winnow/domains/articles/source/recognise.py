"""Which format a file of articles has, for `winnow init`."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from winnow.domains.articles.source.formats import jsonl_rows, parquet_rows
from winnow.pipeline.errors import SourceError
from winnow.pipeline.recognised import Recognised, unknown

LOOKED_FOR = ".jsonl, .jsonl.gz or .parquet with id and content"
FIRST = 100
"""Rows that are looked at."""


def recognise(paths: Sequence[Path]) -> list[Recognised]:
    """One source for each file; raises SourceError for what is none."""
    return [_source(path) for path in paths]


def _source(path: Path) -> Recognised:
    parquet = path.suffix == ".parquet"
    if not parquet and not path.name.removesuffix(".gz").endswith(".jsonl"):
        cure = "write one JSON object with id and content a line, as .jsonl"
        raise unknown(path, LOOKED_FOR, [SourceError(f"{path.suffix or 'a folder'} is not read", fix=cure)])
    try:
        rows = list(islice(parquet_rows(path) if parquet else jsonl_rows(path), FIRST))
    except SourceError as error:
        raise unknown(path, LOOKED_FOR, [error]) from None
    whole = [row for row in rows if not isinstance(row, str) and "id" in row and "content" in row]
    if not whole:
        first = next(
            (row for row in rows if isinstance(row, str)), "no row has id and content" if rows else "it is empty"
        )
        raise unknown(path, LOOKED_FOR, [SourceError(first)])
    form = "parquet" if parquet else "scored" if any(map(_has_scores, whole)) else "jsonl"
    return Recognised({"format": form, "path": path}, (path,), f"{form}, {len(whole)} of the first {len(rows)} rows")


def _has_scores(row: Any) -> bool:
    """As files of articles carry them: an analysis with dimensions, or labels with the dimensions' names."""
    analyses = (value for value in row.values() if isinstance(value, dict))
    return ("labels" in row and "dimension_names" in row) or any("dimensions" in each for each in analyses)
