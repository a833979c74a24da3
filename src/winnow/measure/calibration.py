"""Whether a model is as sure as it is right."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

BINS = 10


def confidence_bins(confidence: ArrayLike) -> NDArray[np.int64]:
    """The bin `(rows,)` of each confidence: ten of equal width."""
    return np.minimum((np.asarray(confidence, dtype=np.float64) * BINS).astype(np.int64), BINS - 1)


def calibration_errors(confidence: ArrayLike, right: ArrayLike, counts: ArrayLike | None = None) -> NDArray[np.float64]:
    """Expected calibration error `(resamples,)` (Naeini et al. 2015): |accuracy - confidence| over bins, by their rows.

    `counts` `(resamples, rows)` says how often each row stands in each resample; one resample of all rows without it.
    """
    sure = np.asarray(confidence, dtype=np.float64)
    gap = np.asarray(right, dtype=np.float64) - sure
    weights = np.ones((1, len(sure))) if counts is None else np.asarray(counts, dtype=np.float64)
    in_bin = np.eye(BINS)[confidence_bins(sure)]
    error: NDArray[np.float64] = np.abs(weights @ (in_bin * gap[:, None])).sum(axis=1) / weights.sum(axis=1)
    return error


def reliability(confidence: ArrayLike, right: ArrayLike) -> list[tuple[float, float, int]]:
    """(mean confidence, accuracy, rows) of every bin that has a row, least sure first."""
    sure, hits = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    bins = confidence_bins(sure)
    return [
        (float(sure[bins == number].mean()), float(hits[bins == number].mean()), int((bins == number).sum()))
        for number in np.unique(bins)
    ]
