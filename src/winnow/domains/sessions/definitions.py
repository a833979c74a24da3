"""The terms of listening data, for every stage."""

from winnow.curate import sides

USER_TYPES = ("casual", "regular", "power")
"""From few plays to many."""

SIDES = (*sides.SIDES, "cold_given", "cold_target")
"""Sides of the split. A cold-start user is not trained on: their given songs are folded in, the others are to find."""

CUTOFFS = (5, 10, 20)
"""The K of Recall@K and NDCG@K."""

LIST_LENGTH = 10
"""Songs of a list by which coverage, novelty, diversity and exposure are measured."""

HISTORY_BINS = ("1-5", "6-10", "11-20", "21-50", "51+")
HISTORY_EDGES = (5, 10, 20, 50)
"""Numbers of known songs of a user at which the first bins end (inclusive)."""

VALIDATION_METRICS = tuple(f"{name}_at_{k}" for name in ("recall", "ndcg") for k in CUTOFFS)
"""What train measures after each epoch: names for early stopping."""

GATE_METRICS = (
    *(f"{prefix}{name}" for prefix in ("", "cold_", "train_", "val_") for name in VALIDATION_METRICS),
    *(f"{prefix}{name}_score" for prefix in ("", "cold_") for name in ("mrr", "novelty", "diversity")),
    "coverage_score",
    "explanation_accuracy",
)
"""What evaluate measures of the model, cold-start users only if there are some: names for the gate."""
