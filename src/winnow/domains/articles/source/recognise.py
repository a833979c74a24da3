"""Which format a file of articles has, for `winnow init`."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from winnow.domains.articles.source.formats import own_scores
from winnow.domains.articles.source.rows import KNOWN, NEEDED, lacking, rows_of, with_content
from winnow.pipeline.errors import SourceError
from winnow.pipeline.recognised import Recognised, unknown

LOOKED_FOR = ".jsonl, .parquet or .csv (.gz) with id and content (or text)"
SCORE_WORDS = ("score", "rating", "label")
"""Words in the names of fields that hold a list of scores."""
FIRST = 100
"""Rows that are looked at."""


def recognise(paths: Sequence[Path]) -> list[Recognised]:
    """One source for each file; raises SourceError for what is none."""
    return [_source(path) for path in paths]


def _source(path: Path) -> Recognised:
    ending = path.name.removesuffix(".gz").rpartition(".")[2]
    form = {"parquet": "parquet", "jsonl": "jsonl", "csv": "csv", "tsv": "csv"}.get(ending)
    if form is None or path.is_dir():
        cure = "write one JSON object with id and content a line, as .jsonl, or a CSV with these columns"
        raise unknown(path, LOOKED_FOR, [SourceError(f"{path.suffix or 'a folder'} is not read", fix=cure)])
    try:
        rows = list(islice(rows_of(form, path), FIRST))
    except SourceError as error:
        raise unknown(path, LOOKED_FOR, [error]) from None
    objects = [with_content(row) for row in rows if not isinstance(row, str)]
    whole = [row for row in objects if all(name in row for name in NEEDED)]
    if not whole:
        refused = SourceError(next((row for row in rows if isinstance(row, str)), "it is empty"))
        if any(objects):
            missing = [name for name in NEEDED if not any(name in row for row in objects)]
            fields = dict.fromkeys(name for row in rows if not isinstance(row, str) for name in row)
            refused = lacking(path, "field" if missing else "row with", missing or NEEDED, list(fields))
        raise unknown(path, LOOKED_FOR, [refused])
    form = "scored" if form == "jsonl" and any(map(_has_scores, whole)) else form
    told = f"{form}, {len(whole)} of the first {len(rows)} rows{_about_scores(form, whole)}"
    preset = "scored" if form in {"scored", "csv"} and any(map(own_scores, whole)) else "minilm"
    return Recognised({"format": form, "path": path}, (path,), told, preset)


def _about_scores(form: str, rows: Sequence[Any]) -> str:
    """Which scores the rows hold: nobody should take fields for labels when they are none, or the other way round."""
    if form in {"scored", "csv"}:
        names = list(dict.fromkeys(name for row in rows for name in own_scores(row)))
        others = list(dict.fromkeys(name for row in rows for name in row if name not in KNOWN))
        none = f"; none of {', '.join(others)} holds numbers, so none is read as scores" if others else ""
        return f"; scores of {', '.join(names)}" if names else none
    named = [name for row in rows for name, value in row.items() if _looks_like_scores(name, value)]
    if not named:
        return ""
    return (
        f"; its field {named[0]} is not read as scores: for that, write .jsonl with `scores: {{name: number, …}}` or "
        "with `labels` (numbers) and `dimension_names`"
    )


def _looks_like_scores(name: str, value: Any) -> bool:
    """Whether it is an object of numbers, or a list of numbers with a name of scores."""
    if isinstance(value, dict):
        values = [*value.values()]
    else:
        values = value if isinstance(value, list) and any(word in name.lower() for word in SCORE_WORDS) else []
    return bool(values) and all(type(each) in (int, float) for each in values)


def _has_scores(row: Any) -> bool:
    """As files of articles carry them: an analysis with dimensions, `scores`, or labels with dimensions' names."""
    analyses = (value for value in row.values() if isinstance(value, dict))
    named = ("labels" in row and "dimension_names" in row) or any("dimensions" in each for each in analyses)
    return named or (isinstance(row.get("scores"), dict) and _looks_like_scores("scores", row["scores"]))
