"""Errors of predicted numbers, and their correlation with the truth. All arguments are (rows,)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats


def mae(predicted: ArrayLike, true: ArrayLike) -> float:
    """Mean absolute error. Raises ValueError without rows."""
    return float(np.mean(np.abs(_errors(predicted, true))))


def rmse(predicted: ArrayLike, true: ArrayLike) -> float:
    """Root mean squared error. Raises ValueError without rows."""
    return float(np.sqrt(np.mean(_errors(predicted, true) ** 2)))


def accuracy_within(predicted: ArrayLike, true: ArrayLike, tolerance: float) -> float:
    """Share of predictions at most `tolerance` away from the truth. Raises ValueError without rows."""
    return float(np.mean(np.abs(_errors(predicted, true)) <= tolerance))


def pearson_correlation(predicted: ArrayLike, true: ArrayLike) -> float:
    """Linear correlation, -1 to 1; NaN when either side is constant. Raises ValueError below two rows."""
    _errors(predicted, true)
    return _correlation(np.asarray(predicted, dtype=np.float64), np.asarray(true, dtype=np.float64))


def spearman_correlation(predicted: ArrayLike, true: ArrayLike) -> float:
    """Correlation of ranks (ties share their mean rank); NaN when either side is constant. Raises as Pearson's."""
    _errors(predicted, true)
    return _correlation(stats.rankdata(np.asarray(predicted)), stats.rankdata(np.asarray(true)))


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    if len(first) < 2:
        raise ValueError("a correlation needs two rows")
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(stats.pearsonr(first, second).statistic)


def _errors(predicted: ArrayLike, true: ArrayLike) -> NDArray[np.float64]:
    errors: NDArray[np.float64] = np.asarray(predicted, dtype=np.float64) - np.asarray(true, dtype=np.float64)
    if errors.size == 0:
        raise ValueError("there is no prediction to measure")
    return errors
