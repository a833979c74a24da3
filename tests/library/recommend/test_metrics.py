"""Metrics of lists over users."""

import numpy as np
import pandas as pd
import pytest

from winnow.judge.intervals import values
from winnow.recommend.metrics import metric_statistics, of_checks, user_metrics
from winnow.recommend.ranking import Ranking

LISTS = np.array([[0, 1, 2], [3, 2, 1]])
HITS = np.array([[True, False, True], [False, False, False]])
RANKED = Ranking(np.arange(2), LISTS, HITS, np.array([4, 1]), np.array([1.0, 0.25]), np.zeros(LISTS.shape, np.float32))
POPULARITY = np.array([5, 3, 1, 0])
EVERY_USER_ONCE = np.ones((1, 2), dtype=np.int64)


def test_metrics_of_users_and_their_means() -> None:
    table = user_metrics(RANKED, POPULARITY, np.ones(2), cutoffs=(1, 3), length=2)
    assert table["recall_at_1"].tolist() == [0.25, 0]
    assert table["recall_at_3"].tolist() == [0.5, 0]
    assert table["diversity"].tolist() == [1, 1]
    assert table["novelty"][0] == pytest.approx(np.log2(13 / 6) / 2 + np.log2(13 / 4) / 2)
    found = values(metric_statistics(table, "cold_"), 2)
    assert found["cold_recall_at_3"] == 0.25
    assert found["cold_mrr_score"] == 0.625
    assert found["cold_novelty_score"] == pytest.approx(table["novelty"].mean())
    assert found["cold_diversity_score"] == 1


def test_means_are_of_the_users_for_whom_a_metric_is_defined() -> None:
    table = user_metrics(RANKED, POPULARITY, np.full(2, np.nan), cutoffs=(1,), length=2)
    assert "diversity_score" not in metric_statistics(table)
    table = user_metrics(RANKED, POPULARITY, np.array([0.4, np.nan]), cutoffs=(1,), length=2)
    assert values(metric_statistics(table), 2)["diversity_score"] == pytest.approx(0.4)


def test_explanations_hold_where_the_score_falls_further_without_the_first_reason() -> None:
    checks = pd.DataFrame({"fall": [1.0, 2.0, 0.5, 3.0], "other_fall": [0.5, 2.0, 1.0, -1.0]})
    found = of_checks(checks, 0.95)
    assert found.model == {"explanation_accuracy": 0.5}, "a tie does not hold"
    bounds = found.interval["explanation_accuracy"]
    assert (bounds.low, bounds.high) == pytest.approx((0.150, 0.850), abs=1e-3), "Wilson's of 2 in 4"
    assert of_checks(checks.iloc[:0], 0.95).model == {}
