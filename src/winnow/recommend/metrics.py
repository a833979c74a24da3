"""Metrics of ranked lists for each user, and over all users; and how often explanations hold.

Tables here have one row per user, and the columns of `user_metrics`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.judge.intervals import Statistic, mean, ratio, values, wilson
from winnow.judge.result import EvaluationResult
from winnow.measure.ranking import cutoff_metrics
from winnow.recommend.lists import list_novelty

if TYPE_CHECKING:  # it imports torch
    from winnow.recommend.ranking import Ranking


def user_metrics(
    ranked: "Ranking",
    popularity: NDArray[np.int64],
    diversity: NDArray[np.float64],
    *,
    cutoffs: Sequence[int],
    length: int,
) -> pd.DataFrame:
    """recall_at_K and ndcg_at_K for every K of `cutoffs`, reciprocal_rank, novelty and diversity of every list.

    Novelty by the `popularity` (items,) of the first `length` items; `diversity` (users,) is the domain's own.
    """
    return pd.DataFrame(
        {
            **cutoff_metrics(ranked.hits, ranked.relevant, cutoffs),
            "reciprocal_rank": ranked.reciprocal_rank,
            "novelty": list_novelty(ranked.lists[:, :length], popularity),
            "diversity": diversity,
        }
    )


def metric_statistics(table: pd.DataFrame, prefix: str = "", more: Sequence[str] = ()) -> dict[str, Statistic]:
    """The mean of every metric over the users for whom it is defined, for `judge.intervals`.

    `more` are further columns that are metrics by the same name. Metrics that are defined for no user are left out.
    """
    names = {name: name for name in (*_cutoff_columns(table), *more)}
    names |= {"diversity": "diversity_score", "reciprocal_rank": "mrr_score", "novelty": "novelty_score"}
    return {f"{prefix}{metric}": _mean(table[name]) for name, metric in names.items() if table[name].notna().any()}


def check_statistics(checks: pd.DataFrame) -> dict[str, Statistic]:
    """How often a first reason holds, of `Checks`."""
    return {"explanation_accuracy": mean(checks["fall"] > checks["other_fall"])} if len(checks) else {}


def checks_by_kind(checks: pd.DataFrame) -> dict[str, dict[str, float]]:
    """How often the first reasons of each kind hold, and by how much scores fall without them and without others."""
    return {
        str(kind): {"checked": len(own), "held": int((own["fall"] > own["other_fall"]).sum())}
        | {"fall": float(own["fall"].mean()), "other": float(own["other_fall"].mean())}
        for kind, own in checks.groupby("kind")
    }


def of_checks(checks: pd.DataFrame, confidence: float) -> EvaluationResult:
    """`check_statistics` with Wilson's interval; nothing without a check, as where no user has two reasons."""
    found = values(check_statistics(checks), len(checks))
    hits = int((checks["fall"] > checks["other_fall"]).sum())
    return EvaluationResult(found, {name: wilson(hits, len(checks), confidence) for name in found}, {})


def _mean(values: "pd.Series[float]") -> Statistic:
    """The mean of the values that are there."""
    return ratio(values.fillna(0), values.notna())


def _cutoff_columns(table: pd.DataFrame) -> list[str]:
    return [str(name) for name in table.columns if "_at_" in str(name)]
