"""How two models' stored predictions are compared."""

from winnow.domains.toy.model.results import statistics
from winnow.judge.paired import Predictions

PREDICTIONS = Predictions("evaluate/predictions.parquet", key="flower", truth=["label"], statistics=statistics)
