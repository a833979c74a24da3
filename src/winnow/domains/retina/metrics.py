"""The names of the metrics of train and evaluate; `check` rejects a gate or early stopping that names another one.

No program imports this module: a new name re-runs nothing.
"""

from winnow.domains.retina.definitions import GRADES

VALIDATION_METRICS = (
    "loss",
    "quadratic_weighted_kappa",
    "accuracy",
    "macro_f1",
    "predictions_distinct",
    *(f"f1/{grade}" for grade in GRADES),
)
"""What train measures after each epoch: names for early stopping."""

GATE_METRICS = (
    "quadratic_weighted_kappa",
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "rare_f1",
    "macro_auc",
    "referable_sensitivity",
    "referable_specificity",
    "referable_auc",
    "ece",
    "uncalibrated_ece",
    *(f"class_{grade}_{name}" for grade in GRADES for name in ("precision", "recall", "f1")),
)
"""What evaluate measures of the model, of grades that have a test photograph: names for the gate."""
