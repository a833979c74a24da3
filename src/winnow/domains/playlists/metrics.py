"""The metrics of completing playlists: their names, and how they are computed from the tables that evaluate stores.

A train program must not import this module: its metrics may change without training again.
"""

from functools import partial

from winnow.domains.playlists.definitions import CUTOFFS
from winnow.judge.paired import Compared
from winnow.recommend.metrics import check_statistics, metric_statistics

VALIDATION_METRICS = tuple(f"{name}_at_{k}" for name in ("recall", "ndcg") for k in CUTOFFS)
"""What train measures after each epoch: names for early stopping."""

GATE_METRICS = (
    *(f"{prefix}{name}" for prefix in ("", "seen_", "val_") for name in VALIDATION_METRICS),
    *("r_precision", "seen_r_precision", "challenge_r_precision", "ndcg_at_500", "clicks"),
    *("mrr_score", "novelty_score", "diversity_score", "coverage_score", "explanation_accuracy"),
)
"""What evaluate measures of the model; those of artists only if tracks have some: names for the gate."""

CHALLENGE = ("r_precision", "seen_r_precision", "challenge_r_precision", "clicks")
"""Columns of `Ranked` that are metrics by the same name."""

statistics = partial(metric_statistics, more=CHALLENGE)
"""The means of the metrics of a `Ranked` table of one recommender, for `judge.intervals`."""

COMPARED = (
    Compared(
        "evaluate/ranked.parquet",
        key=["playlist_index"],
        numbered_by=["label", "split"],
        truth=["held_out"],
        statistics=statistics,
        rows=lambda table: table[table["recommender"] == "model"],
    ),
    Compared(
        "evaluate/checks.parquet",
        key=["user_index"],
        numbered_by=["label", "split"],
        statistics=check_statistics,
        whole="the set of playlists whose reasons were checked",
    ),
)
"""How two trained models are compared row by row."""
