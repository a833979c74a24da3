"""Rows that several sources have: the same file under two names, or an export that contains last month's."""

from collections.abc import Iterable, Mapping
from shlex import quote
from typing import Any

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from winnow.pipeline.console import say
from winnow.pipeline.stage import Stage
from winnow.pipeline.tables import Table

FILE = "overlaps.parquet"
METRIC = "overlaps"
SHOWN = 5
"""Pairs of sources that a stage prints."""


class Overlaps(Table):
    """One row per row of a source that an earlier source has, too; written where sources overlap."""

    source: Series[str] = pa.Field(description="as params.yaml names it, or the part of ids that stands for it")
    other: Series[str] = pa.Field(description="the first source that has it")
    place: Series[str] = pa.Field(description="row or name in the source")


def find_overlaps(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """The columns of `Overlaps`, and one summary for each pair of sources: source, other, rows, of, of_other.

    `rows` has source, place and key, in the order in which the sources are named; rows with the same key say the same.
    A key belongs to the first source that has it (`other`), and is counted once in each (`of`, `of_other`: all keys).
    """
    once = rows.drop_duplicates(["source", "key"])
    first = once.groupby("key", sort=False)["source"].transform("first")
    totals = once["source"].value_counts()
    found = once.assign(other=first)[first != once["source"]]
    pairs = found.groupby(["source", "other"], sort=False).size().rename("rows").reset_index()
    told: list[dict[str, Any]] = [
        {"source": source, "other": other, "rows": rows, "of": int(totals[source]), "of_other": int(totals[other])}
        for source, other, rows in pairs.itertuples(index=False)
    ]
    table = found[["source", "other", "place"]].astype("str").reset_index(drop=True)
    return table, sorted(told, key=lambda pair: -pair["rows"])


def same_images(pieces: Iterable[pd.DataFrame], measures: list[str], sources: Mapping[str, str]) -> pd.DataFrame:
    """For `find_overlaps`: images, given in pieces of their table, that have all measures in common are the same.

    `sources` has the source's path by the prefix of its images' ids.
    """
    parts = []
    for images in pieces:
        prefix, place = images["image_id"].str.partition("/")[[0, 2]].to_numpy(dtype=str).T
        key = pd.util.hash_pandas_object(images[measures], index=False)
        parts.append(
            pd.DataFrame({"source": pd.Series(prefix).map(dict(sources)), "place": place, "key": key.to_numpy()})
        )
    rank = {path: number for number, path in enumerate(sources.values())}
    rows = pd.concat(parts, ignore_index=True)
    return rows.sort_values("source", key=lambda path: path.map(rank), kind="stable", ignore_index=True)


def tell_overlaps(stage: Stage[Any, Any], rows: pd.DataFrame, what: str, kept: str) -> None:
    """Write and print what sources share: of `what`, such as routes, and what became of it, such as `each counts once`.

    For `rows` see `find_overlaps`. Nothing is written where no two sources overlap.
    """
    if rows["source"].nunique() < 2:
        return
    table, pairs = find_overlaps(rows)
    if not pairs:
        return
    pairs = [{**pair, "what": what, "kept": kept} for pair in pairs]
    stage.write(FILE, table, Overlaps)
    stage.metrics(**{METRIC: pairs})
    say(*(overlap_line(stage.domain, pair) for pair in pairs[:SHOWN]))
    if others := pairs[SHOWN:]:
        say(f"{len(others)} more pairs of sources overlap: `winnow rows {stage.domain}` shows all")


def overlap_line(domain: str, pair: Mapping[str, Any]) -> str:
    """What two sources share, what became of it, and the command for a source that the other one makes needless."""
    source, other, rows = pair["source"], pair["other"], pair["rows"]
    part = "all" if rows == pair["of"] else f"{rows:,} of the"
    said = f"{part} {pair['of']:,} {pair['what']} of {source} are also in {other}: {pair['kept']}"
    needless = next((name for name, total in ((source, pair["of"]), (other, pair["of_other"])) if total == rows), None)
    if needless is None:
        return said
    return f"{said}; {needless} has nothing of its own: `winnow remove {domain} {quote(needless)}`"
