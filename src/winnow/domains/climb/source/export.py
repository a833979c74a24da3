"""The split as CSV files, for programs that do not read Parquet."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from winnow.domains.climb.tables import Holds, Labels, Routes, Splits, Weights
from winnow.pipeline.files import write_text
from winnow.pipeline.tables import read_table

DATA = Path("data", "climb")
SUBSETS = {"": "in_full", "_benchmark": "in_benchmark", "_quality": "in_quality"}
"""What a file's name ends in, and the routes it holds."""


class SplitTables(NamedTuple):
    """What the stages ingest, label, split and weight made."""

    routes: pd.DataFrame
    holds: pd.DataFrame
    labels: pd.DataFrame
    splits: pd.DataFrame
    weights: pd.DataFrame


def split_files(tables: SplitTables) -> dict[str, pd.DataFrame]:
    """Ten tables by file name: `moonboard_{train,val,test}{,_benchmark,_quality}.csv` and `quality_weights.csv`.

    One row per route: its grade, how well it is proven, its holds bottom up, joined by blanks: all of them, and by role
    (empty where no source gives roles); its rating, name and method where a source gives them. Weights are those of
    the training routes; their mean is 1.
    """
    holds = tables.holds.sort_values(["route_id", "position"])
    routes = tables.labels.merge(tables.splits, on="route_id", validate="1:1")
    told = tables.routes[["route_id", "user_rating", "name", "method"]]
    routes = routes.merge(told, on="route_id", validate="1:1")
    routes["holds"] = routes["route_id"].map(_joined(holds))
    for role in ("start", "finish"):
        routes[f"{role}_holds"] = routes["route_id"].map(_joined(holds[holds["role"] == role])).fillna("")
    routes = routes.assign(is_benchmark=routes["in_benchmark"], quality_bin=routes["quality"])
    columns = [
        "route_id",
        "board",
        "angle",
        "grade",
        "grade_index",
        "repeats",
        "is_benchmark",
        "quality_bin",
        "stratum",
    ]
    columns += ["holds", "start_holds", "finish_holds", "user_rating", "name", "method"]
    files = {
        f"moonboard_{split}{ending}.csv": routes.loc[(routes["split"] == split) & routes[subset], columns]
        for split in ("train", "val", "test")
        for ending, subset in SUBSETS.items()
    }
    weighed = tables.weights.merge(routes[["route_id", "repeats", "quality_bin"]], on="route_id", validate="1:1")
    return files | {"quality_weights.csv": weighed[["route_id", "repeats", "quality_bin", "weight"]]}


def export_split(out: Path) -> list[Path]:
    """Write `split_files` to the folder `out` and give their paths; raises TableError when a stage has not run."""
    tables = SplitTables(
        read_table(DATA / "ingest" / "routes.parquet", Routes),
        read_table(DATA / "ingest" / "holds.parquet", Holds),
        read_table(DATA / "label" / "labels.parquet", Labels),
        read_table(DATA / "split" / "splits.parquet", Splits),
        read_table(DATA / "weight" / "weights.parquet", Weights),
    )
    files = split_files(tables)
    for name, table in files.items():
        write_text(out / name, table.to_csv(index=False, lineterminator="\n"))
    return [out / name for name in files]


def _joined(holds: pd.DataFrame) -> "pd.Series[str]":
    """The holds of each route joined by blanks, by route_id."""
    return holds.groupby("route_id")["hold"].agg(" ".join)


EXPORTS = {"split": export_split}
"""The stages that `winnow export climb` exports."""
