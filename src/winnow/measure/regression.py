"""Errors of predicted numbers, and their correlation with the truth. All arguments are (rows,)."""

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray


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
    return _correlation(scipy.stats.rankdata(np.asarray(predicted)), scipy.stats.rankdata(np.asarray(true)))


def spearman_correlations(first: ArrayLike, second: ArrayLike, counts: ArrayLike) -> NDArray[np.float64]:
    """As `spearman_correlation`, of rows that occur `counts` `(resamples, rows)` times: `(resamples,)`."""
    weights = np.asarray(counts, dtype=np.float64)
    total = weights.sum(axis=1, keepdims=True)
    one, other = (_middle_ranks(np.asarray(values, dtype=np.float64), weights) for values in (first, second))
    one, other = (ranks - (weights * ranks).sum(axis=1, keepdims=True) / total for ranks in (one, other))
    spread = (weights * one**2).sum(axis=1) * (weights * other**2).sum(axis=1)
    shared = (weights * one * other).sum(axis=1)
    undefined = np.full(len(weights), np.nan)
    return np.asarray(np.divide(shared, np.sqrt(spread), out=undefined, where=spread > 0), dtype=np.float64)


def _middle_ranks(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean rank of each value's ties `(resamples, rows)`."""
    _, place = np.unique(values, return_inverse=True)
    sums = np.zeros((len(weights), int(place.max()) + 1))
    np.add.at(sums.T, place, weights.T)
    return (np.cumsum(sums, axis=1) - sums / 2)[:, place]


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    if len(first) < 2:
        raise ValueError("a correlation needs two rows")
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(scipy.stats.pearsonr(first, second).statistic)


def _errors(predicted: ArrayLike, true: ArrayLike) -> NDArray[np.float64]:
    errors: NDArray[np.float64] = np.asarray(predicted, dtype=np.float64) - np.asarray(true, dtype=np.float64)
    if errors.size == 0:
        raise ValueError("there is no prediction to measure")
    return errors
