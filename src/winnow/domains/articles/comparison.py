"""How two models' stored predictions are compared."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from winnow.judge.intervals import Statistic, mean, transformed
from winnow.judge.paired import Predictions


def _articles(table: pd.DataFrame) -> pd.DataFrame:
    """One row per test article: its mean absolute and mean squared error over the dimensions."""
    test = table[table["split"] == "test"]
    error = (test["predicted"] - test["true"]).abs()
    named = test[["article_id", "group", "true"]].assign(absolute=error, squared=error**2)
    return named.groupby(["article_id", "group"], as_index=False)[["true", "absolute", "squared"]].mean()


def _statistics(articles: pd.DataFrame) -> Mapping[str, Statistic]:
    return {"mae": mean(articles["absolute"]), "rmse": transformed(np.sqrt, mean(articles["squared"]))}


PREDICTIONS = Predictions(
    "evaluate/predictions.parquet",
    key="article_id",
    groups="group",
    truth=["true"],
    statistics=_statistics,
    rows=_articles,
)
