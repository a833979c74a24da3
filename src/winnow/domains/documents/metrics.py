"""The names of the metrics of train and evaluate; `check` rejects a gate or early stopping that names another one.

No program imports this module: a new name re-runs nothing.
"""

from winnow.domains.documents.definitions import CLASSES, ISSUES, class_key

VALIDATION_METRICS = (
    "loss",
    "mae",
    "rmse",
    "accuracy",
    "balanced_accuracy",
    "predictions_distinct",
    *(f"class_accuracy/{class_key(name)}" for name in CLASSES),
)
"""What train measures after each epoch: names for early stopping."""

GATE_METRICS = (
    "mae",
    "rmse",
    "accuracy",
    "balanced_accuracy",
    "balance_gap_error",
    "within_one_accuracy",
    "macro_f1",
    "legibility_mae",
    "ece",
    "score_ece",
    "spearman_correlation",
    "retake_auc",
    "retake_recall",
    "false_reject_error",
    *(f"class_{class_key(name)}_recall" for name in CLASSES),
    *(f"{issue}_{name}" for issue in ISSUES for name in ("recall", "average_precision")),
    "issues_average_precision",
)
"""What evaluate measures of the model, of classes and issues that a test image has: names for the gate."""
