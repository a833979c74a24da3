"""How two models' stored predictions are compared."""

from winnow.domains.retina.evaluation.results import statistics
from winnow.judge.paired import Predictions

PREDICTIONS = Predictions(
    "evaluate/predictions.parquet",
    key="image_id",
    groups="patient",
    truth=["grade"],
    statistics=statistics,
    rows=lambda table: table[table["split"] == "test"],
)
