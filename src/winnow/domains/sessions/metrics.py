"""The names of the metrics of train and evaluate; `check` rejects a gate or early stopping that names another one.

No program imports this module: a new name re-runs nothing.
"""

from winnow.domains.sessions.definitions import CUTOFFS

VALIDATION_METRICS = tuple(f"{name}_at_{k}" for name in ("recall", "ndcg") for k in CUTOFFS)
"""What train measures after each epoch: names for early stopping."""

GATE_METRICS = (
    *(f"{prefix}{name}" for prefix in ("", "cold_", "train_", "val_") for name in VALIDATION_METRICS),
    *(f"{prefix}{name}_score" for prefix in ("", "cold_") for name in ("mrr", "novelty", "diversity")),
    "coverage_score",
    "explanation_accuracy",
)
"""What evaluate measures of the model, cold-start users only if there are some: names for the gate."""
