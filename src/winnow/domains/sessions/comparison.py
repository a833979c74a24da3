"""How two models' stored predictions are compared."""

from winnow.judge.paired import Predictions
from winnow.recommend.metrics import metric_statistics

PREDICTIONS = Predictions(
    "evaluate/ranked.parquet",
    key="user_index",
    numbered_by=["label", "split"],
    truth=["held_out"],
    statistics=metric_statistics,
    rows=lambda table: table[(table["recommender"] == "model") & ~table["cold"]],
)
