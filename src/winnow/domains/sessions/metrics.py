"""The metrics of recommending songs: their names, and how they are computed from the tables that evaluate stores.

A train program must not import this module: its metrics may change without training again.
"""

from functools import partial

from winnow.domains.sessions.definitions import CUTOFFS
from winnow.judge.paired import Compared
from winnow.recommend.metrics import check_statistics, metric_statistics

VALIDATION_METRICS = tuple(f"{name}_at_{k}" for name in ("recall", "ndcg") for k in CUTOFFS)
"""What train measures after each epoch: names for early stopping."""

GATE_METRICS = (
    *(f"{prefix}{name}" for prefix in ("", "cold_", "train_", "val_") for name in VALIDATION_METRICS),
    *(f"{prefix}{name}_score" for prefix in ("", "cold_") for name in ("mrr", "novelty", "diversity")),
    "coverage_score",
    "explanation_accuracy",
)
"""What evaluate measures of the model, cold-start users only if there are some: names for the gate."""

statistics = metric_statistics
"""The means of the metrics of a `Ranked` table of one recommender, for `judge.intervals`."""

COMPARED = (
    Compared(
        "evaluate/ranked.parquet",
        key=["user_index"],
        numbered_by=["label", "split"],
        truth=["held_out"],
        statistics=statistics,
        rows=lambda table: table[(table["recommender"] == "model") & ~table["cold"]],
    ),
    Compared(
        "evaluate/ranked.parquet",
        key=["user_index"],
        numbered_by=["label", "split"],
        truth=["held_out"],
        statistics=partial(statistics, prefix="cold_"),
        rows=lambda table: table[(table["recommender"] == "model") & table["cold"]],
        whole="the set of cold-start users",
    ),
    Compared(
        "evaluate/checks.parquet",
        key=["user_index"],
        numbered_by=["label", "split"],
        statistics=check_statistics,
        whole="the set of users whose reasons were checked",
    ),
)
"""How two trained models are compared row by row."""
