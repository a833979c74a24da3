"""The metrics of the toy: their names, and how they are computed from the table that evaluate stores.

A train program must not import this module: its metrics may change without training again.
"""

import pandas as pd

from winnow.judge.intervals import Statistic, mean
from winnow.judge.paired import Compared

VALIDATION_METRICS = ("loss",)
"""What train measures after each epoch."""

GATE_METRICS = ("accuracy",)
"""What evaluate measures of the model."""


def statistics(rows: pd.DataFrame) -> dict[str, Statistic]:
    """The metrics of a `Predictions` table."""
    return {"accuracy": mean(rows["predicted"] == rows["label"])}


COMPARED = (Compared("evaluate/predictions.parquet", key=["flower"], truth=["label"], statistics=statistics),)
"""How two trained models are compared row by row."""
