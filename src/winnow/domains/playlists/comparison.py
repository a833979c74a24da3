"""How two models' stored predictions are compared."""

from functools import partial

from winnow.domains.playlists.evaluation.results import CHALLENGE
from winnow.judge.paired import Predictions
from winnow.recommend.metrics import metric_statistics

PREDICTIONS = Predictions(
    "evaluate/ranked.parquet",
    key="playlist_index",
    numbered_by=["label", "split"],
    truth=["held_out"],
    statistics=partial(metric_statistics, more=CHALLENGE),
    rows=lambda table: table[table["recommender"] == "model"],
)
