"""Calibration of probabilities and scores, and temperature scaling."""

import numpy as np
import pandas as pd
import pandera.pandas as pa
import scipy
from numpy.typing import ArrayLike, NDArray
from pandera.typing import Series

from winnow.pipeline.tables import Table

BINS = 10
TEMPERATURES = (0.05, 20.0)
"""the range that is searched"""

Floats = NDArray[np.float64]


def confidence_bins(confidence: ArrayLike) -> NDArray[np.int64]:
    """The bin `(rows,)` of each value from 0 to 1: ten of equal width."""
    return np.clip((np.asarray(confidence, dtype=np.float64) * BINS).astype(np.int64), 0, BINS - 1)


def calibration_errors(confidence: ArrayLike, right: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Expected calibration error `(resamples,)` (Naeini et al. 2015): |accuracy - confidence| over bins, by their rows.

    For classes, `confidence` (rows,) is the predicted class's probability and `right` whether it is the true one. For
    scores from 0 to 1, `confidence` is the predicted score and `right` the true one: |mean truth - mean prediction|.
    `counts` `(resamples, rows)` says how often each row is in each resample; one resample of all rows without it.
    """
    sure = np.asarray(confidence, dtype=np.float64)
    gap = np.asarray(right, dtype=np.float64) - sure
    weights = np.ones((1, len(sure))) if counts is None else np.asarray(counts, dtype=np.float64)
    in_bin = np.eye(BINS)[confidence_bins(sure)]
    error: Floats = np.abs(weights @ (in_bin * gap[:, None])).sum(axis=1) / weights.sum(axis=1)
    return error


class Reliability(Table):
    """How often rows of a confidence are right, before and after calibration."""

    scaled: Series[bool]
    confidence: Series[float] = pa.Field(ge=0, le=1, description="mean of the bin")
    accuracy: Series[float] = pa.Field(ge=0, le=1)
    rows: Series[int] = pa.Field(ge=1)


def reliability(before: tuple[ArrayLike, ArrayLike], after: tuple[ArrayLike, ArrayLike]) -> pd.DataFrame:
    """The columns of `Reliability`: every bin that has a row, least confident first.

    `before` and `after` calibration: confidence and whether it is right, both (rows,).
    """
    found: list[tuple[bool, float, float, int]] = []
    for scaled, (confidence, right) in ((False, before), (True, after)):
        sure, hits = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
        bins = confidence_bins(sure)
        rows = [bins == number for number in np.unique(bins)]
        found += [(scaled, sure[each].mean(), hits[each].mean(), int(each.sum())) for each in rows]
    return pd.DataFrame(found, columns=["scaled", "confidence", "accuracy", "rows"])


def with_temperature(probabilities: ArrayLike, temperature: float) -> Floats:
    """Softmax of log-probabilities (rows, classes) divided by `temperature`: above 1 less confident, below 1 more."""
    logits = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), 1e-300)) / temperature
    scaled = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: Floats = scaled / scaled.sum(axis=1, keepdims=True)
    return result


def log_loss(probabilities: ArrayLike, true: ArrayLike) -> float:
    """Mean negative log-likelihood of class indices (rows,); `probabilities` (rows, classes)."""
    chances, labels = np.asarray(probabilities, dtype=np.float64), np.asarray(true, dtype=np.int64)
    return float(-np.log(np.maximum(chances[np.arange(len(labels)), labels], 1e-300)).mean())


def fit_temperature(probabilities: ArrayLike, true: ArrayLike) -> float:
    """The temperature that minimises the negative log-likelihood of validation rows (Guo et al. 2017).

    `probabilities` (rows, classes), `true` (rows,) class indices. Raises ValueError without rows.
    """
    chances, labels = np.asarray(probabilities, dtype=np.float64), np.asarray(true, dtype=np.int64)
    if len(labels) == 0:
        raise ValueError("there is no row to fit a temperature to")

    def nll(log_temperature: float) -> float:
        return log_loss(with_temperature(chances, float(np.exp(log_temperature))), labels)

    low, high = np.log(TEMPERATURES)
    found = scipy.optimize.minimize_scalar(nll, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))
