"""The names of the metrics of train and evaluate; `check` rejects a gate or early stopping that names another one.

No program imports this module: a new name re-runs nothing.
"""

from winnow.domains.articles.source.filters import known_filters, read_filter

GATE_METRICS = (
    "mae",
    "rmse",
    "pearson_correlation",
    "spearman_correlation",
    "within_one_accuracy",
    "tier_accuracy",
    "tier_f1",
    "mean_skill_score",
    "lowest_skill_score",
    "overfit_error",
)
"""What evaluate measures of the model: names for the gate."""


def __getattr__(name: str) -> tuple[str, ...]:
    """`VALIDATION_METRICS`, what train measures after each epoch; of the filters that exist, since those are data."""
    if name != "VALIDATION_METRICS":
        raise AttributeError(name)
    dimensions = sorted({each for known in known_filters() for each in read_filter(known).names})
    own = [f"dimension_{error}/{each}" for error in ("mae", "rmse") for each in dimensions]
    return ("loss", "mae", "rmse", "pearson_correlation", *own)
