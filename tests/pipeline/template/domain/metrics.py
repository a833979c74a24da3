"""The metrics of the domain: their names, and how they are computed from the table that evaluate stores.

A train program must not import this module: its metrics may change without training again.
"""

import numpy as np
import pandas as pd

from winnow.judge.intervals import Statistic, mean, transformed
from winnow.judge.paired import Compared

VALIDATION_METRICS = ("loss", "mae")
"""What train measures after each epoch."""

GATE_METRICS = ("mae", "rmse")
"""What evaluate measures of the model."""


def statistics(rows: pd.DataFrame) -> dict[str, Statistic]:
    """The metrics of a `Predictions` table, in units of the target."""
    error = rows["predicted"] - rows["target"]
    return {"mae": mean(error.abs()), "rmse": transformed(np.sqrt, mean(error**2))}


COMPARED = (
    Compared("evaluate/predictions.parquet", key=["row_id"], truth=["target"], groups="group", statistics=statistics),
)
"""How two trained models are compared row by row."""
