"""How two models' stored predictions are compared."""

from winnow.domains.climb.evaluation.perplexity import perplexity_statistics, reduction_statistic
from winnow.judge.paired import Predictions

PREDICTIONS = Predictions(
    "evaluate/predictions.parquet",
    key="route_id",
    groups="hold_set",
    truth=["tokens", "grade"],
    statistics=lambda routes: (
        perplexity_statistics(routes) | {"perplexity_reduction_score": reduction_statistic(routes)}
    ),
)
