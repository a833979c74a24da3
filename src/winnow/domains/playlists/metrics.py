"""The names of the metrics of train and evaluate; `check` rejects a gate or early stopping that names another one.

No program imports this module: a new name re-runs nothing.
"""

from winnow.domains.playlists.definitions import CUTOFFS

VALIDATION_METRICS = tuple(f"{name}_at_{k}" for name in ("recall", "ndcg") for k in CUTOFFS)
"""What train measures after each epoch: names for early stopping."""

GATE_METRICS = (
    *(f"{prefix}{name}" for prefix in ("", "seen_", "val_") for name in VALIDATION_METRICS),
    *("r_precision", "seen_r_precision", "clicks"),
    *("mrr_score", "novelty_score", "diversity_score", "coverage_score", "explanation_accuracy"),
)
"""What evaluate measures of the model; those of artists only if tracks have some: names for the gate."""
