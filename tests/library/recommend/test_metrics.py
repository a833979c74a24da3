"""Metrics of lists over users."""

import numpy as np
import pandas as pd
import pytest

from winnow.recommend.metrics import mean_metrics, metric_statistics, paired_differences, user_metrics
from winnow.recommend.ranking import Ranking

LISTS = np.array([[0, 1, 2], [3, 2, 1]])
HITS = np.array([[True, False, True], [False, False, False]])
RANKED = Ranking(np.arange(2), LISTS, HITS, np.array([4, 1]), np.array([1.0, 0.25]))
POPULARITY = np.array([5, 3, 1, 0])
EVERY_USER_ONCE = np.ones((1, 2), dtype=np.int64)


def test_metrics_of_users_and_their_means() -> None:
    table = user_metrics(RANKED, POPULARITY, np.ones(2), cutoffs=(1, 3), length=2)
    assert table["recall_at_1"].tolist() == [0.25, 0]
    assert table["recall_at_3"].tolist() == [0.5, 0]
    assert table["diversity"].tolist() == [1, 1]
    assert table["novelty"][0] == pytest.approx(np.log2(13 / 6) / 2 + np.log2(13 / 4) / 2)
    found = mean_metrics(table, "cold_")
    assert found["cold_recall_at_3"] == 0.25
    assert found["cold_mrr_score"] == 0.625
    statistics = metric_statistics(table)
    assert {name: float(value(EVERY_USER_ONCE)[0]) for name, value in statistics.items()} == pytest.approx(
        {name: value for name, value in mean_metrics(table).items() if name != "novelty_score"}
    )


def test_undefined_diversity_is_left_out() -> None:
    table = user_metrics(RANKED, POPULARITY, np.full(2, np.nan), cutoffs=(1,), length=2)
    assert "diversity_score" not in mean_metrics(table)
    assert "diversity_score" not in metric_statistics(table)


def test_differences_are_the_model_minus_each_baseline_over_the_same_users() -> None:
    tables = {
        "model": pd.DataFrame({"recall_at_1": [0.1, 0.9, 0.5, 0.3]}),
        "worse": pd.DataFrame({"recall_at_1": [0.0, 0.8, 0.4, 0.2]}),
    }
    options = {"resamples": 200, "confidence": 0.95}
    (found,) = paired_differences(tables, "recall_at_1", np.random.default_rng(0), options).values()
    assert (found.low, found.high) == pytest.approx((0.1, 0.1)), "users vary, their differences do not"
