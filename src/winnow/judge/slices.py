"""Metrics on parts of the test set: a good mean may hide a bad part."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from winnow.pipeline.tables import Table

Metric = Callable[[pd.DataFrame], float]


class Slices(Table):
    """One metric of one part of the rows."""

    by: Series[str] = pa.Field(description="the column by which rows are grouped")
    value: Series[str] = pa.Field(description="the value of that column in this group")
    rows: Series[int] = pa.Field(ge=1)
    metric: Series[str]
    score: Series[float] = pa.Field(description="the metric's value on these rows")


def slice_metrics(table: pd.DataFrame, by: Sequence[str], metrics: Mapping[str, Metric]) -> pd.DataFrame:
    """A `Slices` table: every metric on the rows of every value of each column in `by`.

    Values of a categorical column keep its order, others are sorted; rows without a value are left out.
    """
    parts = [
        {"by": column, "value": str(value), "rows": len(part), "metric": name, "score": float(metric(part))}
        for column in by
        for value, part in table.groupby(column, observed=True)
        for name, metric in metrics.items()
    ]
    columns = {"by": "str", "value": "str", "rows": "int64", "metric": "str", "score": "float64"}
    return pd.DataFrame(parts, columns=list(columns)).astype(columns)
