"""Against scikit-learn, scipy and numbers by hand."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from winnow.measure.direction import higher_is_better
from winnow.measure.regression import (
    accuracy_within,
    mae,
    pearson_correlation,
    rmse,
    spearman_correlation,
    spearman_correlations,
)

RNG = np.random.default_rng(0)
TRUE = RNG.normal(size=50).round(1)
PREDICTED = (TRUE + RNG.normal(scale=0.5, size=50)).round(1)


def test_errors_agree_with_scikit_learn() -> None:
    assert mae(PREDICTED, TRUE) == pytest.approx(metrics.mean_absolute_error(TRUE, PREDICTED))
    assert rmse(PREDICTED, TRUE) == pytest.approx(metrics.root_mean_squared_error(TRUE, PREDICTED))
    assert rmse([0, 0], [3, 4]) == pytest.approx(np.sqrt(12.5))


def test_the_tolerance_is_included() -> None:
    assert accuracy_within([1, 2, 5, 3], [1, 3, 3, 3], 0) == 0.5
    assert accuracy_within([1, 2, 5, 3], [1, 3, 3, 3], 1) == 0.75
    assert accuracy_within([0.5, 1.75], [0.0, 1.0], 0.5) == 0.5


@pytest.mark.parametrize("levels", [2, 3, 50])
def test_rank_correlations_of_resamples_are_those_of_the_rows_written_out(levels: int) -> None:
    """Each row as often as it is drawn; with two and three levels nearly all rows are tied."""
    rng = np.random.default_rng(levels)
    first, second = rng.integers(levels, size=(2, 30))
    second = np.where(rng.random(30) < 0.5, first, second)
    counts = rng.multinomial(30, np.full(30, 1 / 30), size=20)
    expected = [stats.spearmanr(np.repeat(first, each), np.repeat(second, each)).statistic for each in counts]
    assert spearman_correlations(first, second, counts) == pytest.approx(np.array(expected))
    assert spearman_correlations(first, np.ones(30), counts) == pytest.approx(np.full(20, np.nan), nan_ok=True)


def test_correlations_agree_with_numpy_and_scipy() -> None:
    assert pearson_correlation(PREDICTED, TRUE) == pytest.approx(np.corrcoef(PREDICTED, TRUE)[0, 1])
    assert spearman_correlation(PREDICTED, TRUE) == pytest.approx(stats.spearmanr(PREDICTED, TRUE).statistic)
    assert spearman_correlation(np.exp(TRUE), TRUE) == pytest.approx(1)
    assert pearson_correlation(np.exp(TRUE), TRUE) < 0.99
    assert np.isnan(pearson_correlation([1, 1, 1], [1, 2, 3]))
    assert np.isnan(spearman_correlation([1, 2, 3], [2, 2, 2]))


def test_directions() -> None:
    names = ("mae", "rmse", "within_one_accuracy", "pearson_correlation", "spearman_correlation")
    assert [higher_is_better(name) for name in names] == [False, False, True, True, True]


@pytest.mark.parametrize("metric", [mae, rmse, lambda p, t: accuracy_within(p, t, 1), pearson_correlation])
def test_no_rows_are_an_error(metric: object) -> None:
    with pytest.raises(ValueError, match="no prediction to measure"):
        metric([], [])  # type: ignore[operator]


def test_a_correlation_needs_two_rows() -> None:
    with pytest.raises(ValueError, match="needs two rows"):
        spearman_correlation([1], [1])
