"""How two models' stored predictions are compared."""

from collections.abc import Mapping

import pandas as pd

from winnow.domains.retina import definitions
from winnow.domains.retina.model.judging import statistics
from winnow.judge.intervals import Statistic
from winnow.judge.paired import Predictions


def _statistics(photographs: pd.DataFrame) -> Mapping[str, Statistic]:
    return statistics(
        photographs["grade"].to_numpy("int64"),
        photographs["predicted"].to_numpy("int64"),
        photographs[definitions.probability_columns()].to_numpy(),
    )


PREDICTIONS = Predictions(
    "evaluate/predictions.parquet",
    key="image_id",
    groups="patient",
    truth=["grade"],
    statistics=_statistics,
    rows=lambda table: table[table["split"] == "test"],
)
