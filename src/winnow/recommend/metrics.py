"""Metrics of ranked lists for each user and over all users, their intervals, and differences from the baselines.

Tables here have one row per user, and the columns of `user_metrics`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.judge.intervals import Interval, Statistic, bootstrap, difference, ratio
from winnow.recommend.lists import list_novelty
from winnow.recommend.ranking import Ranking, rank_metrics


def user_metrics(
    ranked: Ranking,
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
            **rank_metrics(ranked, cutoffs),
            "reciprocal_rank": ranked.reciprocal_rank,
            "novelty": list_novelty(ranked.lists[:, :length], popularity),
            "diversity": diversity,
        }
    )


def mean_metrics(table: pd.DataFrame, prefix: str = "", more: Sequence[str] = ()) -> dict[str, float]:
    """The mean of every metric over the users for whom it is defined; diversity only when it is for some user.

    `more` are further columns that are metrics by the same name.
    """
    names = {name: name for name in (*_cutoff_columns(table), *more)}
    names |= {"reciprocal_rank": "mrr_score", "novelty": "novelty_score"}
    if table["diversity"].notna().any():
        names["diversity"] = "diversity_score"
    return {f"{prefix}{metric}": float(table[name].mean()) for name, metric in names.items()}


def metric_statistics(table: pd.DataFrame, prefix: str = "", more: Sequence[str] = ()) -> dict[str, Statistic]:
    """The means that get an interval, for `judge.intervals`; diversity only when it is defined for every user."""
    names = {name: name for name in (*_cutoff_columns(table), *more)}
    if table["diversity"].notna().all():
        names["diversity"] = "diversity_score"
    names["reciprocal_rank"] = "mrr_score"
    return {f"{prefix}{metric}": _mean(table[name]) for name, metric in names.items()}


def paired_differences(
    tables: Mapping[str, pd.DataFrame], metric: str, rng: np.random.Generator, options: Mapping[str, Any]
) -> dict[str, Interval]:
    """The interval of the model's mean of `metric` minus each baseline's, over the same users in the same order.

    `tables` maps `model` and the baselines' names to their users; `options` are those of `bootstrap`.
    """
    own = _mean(tables["model"][metric])
    apart = {name: difference(own, _mean(table[metric])) for name, table in tables.items() if name != "model"}
    return bootstrap(apart, len(tables["model"]), rng=rng, **options)


def _mean(values: "pd.Series[float]") -> Statistic:
    """The mean of the values that are there."""
    return ratio(values.fillna(0), values.notna())


def _cutoff_columns(table: pd.DataFrame) -> list[str]:
    return [str(name) for name in table.columns if "_at_" in str(name)]
