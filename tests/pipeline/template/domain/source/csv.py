"""Rows of CSV files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from winnow.domains.toy.definitions import FEATURE
from winnow.domains.toy.params import Columns
from winnow.pipeline.errors import SourceError

NONE_REJECTED = pd.DataFrame({"row": pd.Series(dtype="int64"), "reason": pd.Series(dtype="str")})


def read(path: Path, columns: Columns) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The columns of `Rows`, and `row` and `reason` of each row that cannot be used.

    Raises SourceError when the file is no CSV, or lacks a column.
    """
    wanted = [columns.group, columns.target, *columns.features]
    table = columns_of(path, wanted, fix="name the columns in toy.ingest.columns of params.yaml")
    numbers = numbers_of(table[[columns.target, *columns.features]])
    numbers.columns = pd.Index(["target", *(f"{FEATURE}{name}" for name in columns.features)])
    rows = pd.DataFrame({"row_id": [f"{path.name}:{number}" for number in table.index], "group": table[columns.group]})
    rows = pd.concat([rows.astype("str").where(rows.notna()), numbers], axis=1)
    unusable = rows.isna().any(axis=1)
    reasons = [f"no {name}" for name in rows[unusable].isna().idxmax(axis=1)]
    rejected = pd.DataFrame({"row": rows.index[unusable], "reason": reasons})
    return rows[~unusable], rejected.astype({"row": "int64", "reason": "str"})


def columns_of(path: Path, wanted: Sequence[str], *, fix: str) -> pd.DataFrame:
    """The file's columns as text; raises SourceError when it is no CSV, or lacks one that is wanted."""
    if not path.exists():
        raise SourceError(f"{path} does not exist", fix="name a CSV file")
    try:
        table = pd.read_csv(path, dtype="str", encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise SourceError(f"this is no CSV file: {error}", where=str(path), fix="save it as CSV, in UTF-8") from None
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes the first column for names of rows
        raise SourceError("its rows have more cells than its header", where=str(path), fix="name every column")
    if missing := [name for name in wanted if name not in table]:
        what = f"there is no column {', '.join(missing)}; the file has {', '.join(table.columns)}"
        raise SourceError(what, where=str(path), fix=fix)
    return table


def numbers_of(table: pd.DataFrame) -> pd.DataFrame:
    """The cells as numbers; NaN where a cell holds none, or an infinite one."""
    cells = {name: pd.to_numeric(column, errors="coerce") for name, column in table.items()}
    numbers = pd.DataFrame(cells, dtype="float64")
    return numbers.where(np.isfinite(numbers.to_numpy()))
