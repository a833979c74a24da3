"""The names of the metrics of train and evaluate; `check` rejects a gate or early stopping that names another one.

No program imports this module: a new name re-runs nothing.
"""

from winnow.domains.climb.definitions import GRADES, QUALITY_BINS

VALIDATION_METRICS = (
    "loss",
    "perplexity",
    *(f"loss_by_grade/{grade}" for grade in GRADES),
    *(f"loss_by_quality/{quality}" for quality in QUALITY_BINS),
    "sample/unconstrained_validity_score",
    "sample/novelty_score",
    "sample/grade_within_one_accuracy",
)
"""What train measures after each epoch, of groups that have a validation route: names for early stopping."""

GATE_METRICS = (
    "token_loss",
    "perplexity",
    "quality_token_loss",
    "quality_perplexity",
    "perplexity_reduction_score",
    "validity_score",
    "unconstrained_validity_score",
    "novelty_score",
    "train_distance_score",
    "distinct_score",
    "diversity_score",
    "grade_exact_accuracy",
    "grade_within_one_accuracy",
    "grade_agreement_score",
    "usage_divergence",
)
"""What evaluate measures of the model: names for the gate."""
