"""The same problem in several rows, files and formats made one: a problem is its board, angle and set of holds."""

from itertools import combinations
from typing import NamedTuple

import pandas as pd

from winnow.curate.duplicates import set_digests
from winnow.domains.climb import definitions
from winnow.domains.climb.source.problems import Problems

FORMATS = ("app", "web", "guidebook", "csv", "minimal", "synthetic")
"""The formats in order of precedence where sources disagree."""
FIELDS = ("hold_set", "board", "angle", "grade", "repeats", "benchmark", "user_rating", "name", "method")


class SourceFile(NamedTuple):
    """One file that was read."""

    format: str
    path: str
    problems: Problems


class Merged(NamedTuple):
    """The tables of ingest, and what merging found."""

    routes: pd.DataFrame
    holds: pd.DataFrame
    in_both: dict[str, int]
    """problems that two formats share: `{"app+minimal": 306}`"""
    grade_conflicts: dict[str, int]
    """of those, the ones without a grade in common; under one format's name, its problems with several grades"""
    rows: pd.DataFrame
    """source (path), place (row) and key (route_id) of every usable row, in the order of the files"""


def merge(files: list[SourceFile]) -> Merged:
    """One row per problem, with the richest fields; at least one file has a usable row.

    Each field is the first that is known, in the order app, web, guidebook, csv, minimal; within a format the row with
    more repeats comes first, then by path and row. Repeats only grow, so the largest number is the latest one. Roles
    of holds come from the first row that has them. The order of `files` does not matter.
    """
    rows, holds = _stack(files)
    rows = rows.sort_values(
        ["rank", "repeats", "path", "row"], ascending=[True, False, True, True], na_position="last", kind="stable"
    )
    grouped = rows.groupby("route_id")
    routes = grouped[[*FIELDS]].first()
    routes["repeats"] = grouped["repeats"].max()
    routes["benchmark"] = grouped["benchmark"].any()
    formats = rows[["route_id", "format"]].drop_duplicates()
    routes["source"] = formats.groupby("route_id")["format"].agg("+".join)
    in_both, conflicts = _compare_grades(rows)
    read = rows.set_index("path").loc[list(dict.fromkeys(file.path for file in files if len(file.problems.routes)))]
    read = read.reset_index().rename(columns={"path": "source", "row": "place", "route_id": "key"})
    return Merged(
        routes.sort_index().reset_index(),
        _holds_of(rows, holds),
        in_both,
        conflicts,
        read[["source", "place", "key"]],
    )


def _stack(files: list[SourceFile]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All rows and all holds, with the problem each row is and a number (`owner`) that identifies rows."""
    files = sorted(files, key=lambda file: file.path)
    offsets = [0]
    for file in files:
        offsets.append(offsets[-1] + len(file.problems.routes) + len(file.problems.rejected))
    rows = pd.concat(
        [
            file.problems.routes.assign(format=file.format, path=file.path, owner=file.problems.routes["row"] + offset)
            for file, offset in zip(files, offsets, strict=False)
        ]
    )
    holds = pd.concat(
        [
            file.problems.holds.assign(owner=file.problems.holds["row"] + offset)
            for file, offset in zip(files, offsets, strict=False)
        ]
    )
    content = rows["owner"].map(set_digests(holds["owner"], holds["hold"]))
    return rows.assign(
        rank=rows["format"].map({name: rank for rank, name in enumerate(FORMATS)}),
        hold_set=rows["board"] + "-" + content,
        route_id=rows["board"] + "-" + rows["angle"].astype("str") + "-" + content,
    ), holds


def _holds_of(rows: pd.DataFrame, holds: pd.DataFrame) -> pd.DataFrame:
    """The holds of each problem, bottom up, from its first row with known roles; holds that are no cell come last."""
    untold = set(holds.loc[holds["role"] == "unknown", "owner"])
    best = rows.assign(untold=rows["owner"].isin(untold)).sort_values("untold", kind="stable")
    best = best.drop_duplicates("route_id")
    found = holds.merge(best[["owner", "route_id"]], on="owner")
    found["cell"] = found["hold"].map(definitions.CELL_INDEX)
    found = found.sort_values(["route_id", "cell", "hold"], na_position="last")
    found["position"] = found.groupby("route_id").cumcount()
    return found[["route_id", "position", "hold", "role"]]


def _compare_grades(rows: pd.DataFrame) -> tuple[dict[str, int], dict[str, int]]:
    """Problems in two formats, and those of them without a common grade; under one name, problems with several."""
    graded = rows[["route_id", "format", "grade"]].drop_duplicates()
    problems = {name: graded[graded["format"] == name] for name in FORMATS if (graded["format"] == name).any()}
    shared: dict[str, int] = {}
    conflicts: dict[str, int] = {}
    for name, own in problems.items():
        several = own.dropna(subset="grade")["route_id"]
        conflicts[name] = several[several.duplicated()].nunique()
    for first, second in combinations(problems, 2):
        both = problems[first].merge(problems[second], on="route_id")
        agree = both.loc[both["grade_x"] == both["grade_y"], "route_id"].nunique()
        graded_twice = both.dropna(subset=["grade_x", "grade_y"])["route_id"].nunique()
        shared[f"{first}+{second}"] = both["route_id"].nunique()
        conflicts[f"{first}+{second}"] = graded_twice - agree
    return shared, conflicts
