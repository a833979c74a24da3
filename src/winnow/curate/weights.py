"""How often rows are drawn: weights from counts and from classes, and their effect on an epoch.

Weights are relative chances to be drawn with replacement; with a mean of 1, a weight of 1 means "as often as without".
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def log_scale_weights(
    counts: "pd.Series[int]", *, low: float, high: float, high_ratio: float, max_ratio: float
) -> "pd.Series[float]":
    """Weights that grow with the logarithm of a count, between 1 and `max_ratio`.

    A count up to `low` weighs 1 and one of `high` weighs `high_ratio`; between and beyond, each doubling of the count
    adds the same, up to `max_ratio`. A missing count weighs the mean of the known ones (1 if none is known).
    """
    known = counts.astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    growth = (high_ratio - 1) / np.log(high / low)
    with np.errstate(invalid="ignore"):
        weights = np.clip(1 + growth * np.log(np.maximum(known, low) / low), 1, max_ratio)
    missing = np.isnan(known)
    weights[missing] = weights[~missing].mean() if not missing.all() else 1
    return pd.Series(weights, index=counts.index)


def balanced_class_weights(labels: pd.Series) -> "pd.Series[float]":
    """One weight per class found, rows / (classes × rows of the class); indexed by class, sorted.

    The formula of scikit-learn's `compute_class_weight("balanced")` (King & Zeng 2001): each class weighs the same in
    sum, and the mean over rows is 1.
    """
    counts = labels.value_counts().sort_index()
    return len(labels) / (len(counts) * counts)


def effective_number_weights(labels: pd.Series, beta: float) -> "pd.Series[float]":
    """One weight per class found, 1 / effective number of its rows, the mean over rows 1; indexed by class, sorted.

    The effective number of n rows is (1 - beta^n) / (1 - beta) (Cui et al. 2019): rows of a class resemble each other,
    so the next one adds less, and above 1 / (1 - beta) rows hardly anything. With beta near 0 all classes weigh alike,
    near 1 as `balanced_class_weights`.
    """
    counts = labels.value_counts().sort_index()
    weights = (1 - beta) / (1 - beta**counts)
    return weights * len(labels) / (weights * counts).sum()


def inverse_frequency_weights(labels: pd.Series) -> "pd.Series[float]":
    """One weight per row so that each class is drawn equally often; mean 1; indexed like `labels`."""
    return labels.map(balanced_class_weights(labels)).astype(float)


def to_mean_one(weights: "pd.Series[float]") -> "pd.Series[float]":
    """The same relative weights with mean 1."""
    return weights / weights.mean()


def effective_sample_size(weights: "pd.Series[float]") -> float:
    """Rows that, unweighted, would carry as much information: (Σw)² / Σw² (Kish 1965)."""
    values = weights.to_numpy(dtype=float)
    return float(values.sum() ** 2 / np.square(values).sum())


def draw_rows(weights: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """The rows of one weighted epoch, `(rows,)`, in random order; some occur several times, others never.

    A systematic sample (Madow 1949): a row of weight w is drawn ⌊E⌋ or ⌈E⌉ times, where E is the number of draws × w /
    sum of weights; so an epoch's shares vary less than those of independent draws.
    """
    order = rng.permutation(len(weights))
    cumulative = np.cumsum(weights[order])
    points = (np.arange(len(weights)) + rng.random()) * (cumulative[-1] / len(weights))
    picks = np.searchsorted(cumulative, points, side="right").clip(max=len(weights) - 1)
    return rng.permutation(order[picks])


def draw_epochs(weights: "pd.Series[float]", epochs: int, rng: np.random.Generator) -> np.ndarray:
    """How often each row is drawn in so many epochs of training, `(epochs, rows)`."""
    values = np.asarray(weights, dtype=np.float64)
    return np.stack([np.bincount(draw_rows(values, rng), minlength=len(values)) for _ in range(epochs)])


def drawn_ratio(draws: np.ndarray, often: np.ndarray, seldom: np.ndarray) -> dict[str, float] | None:
    """How much more often a row of `often` was drawn than one of `seldom`; None when either has no row or no draw.

    `draws` is `(epochs, rows)` from `draw_epochs`, `often` and `seldom` are boolean masks `(rows,)`. Gives the ratio
    over all epochs together, and the standard deviation of one epoch's ratio (over the epochs in which it exists).
    """
    if not draws[:, often].any() or not draws[:, seldom].any():
        return None
    numerator, denominator = draws[:, often].mean(axis=1), draws[:, seldom].mean(axis=1)
    exists = denominator > 0
    return {
        "mean": float(numerator.mean() / denominator.mean()),
        "std": float((numerator[exists] / denominator[exists]).std()),
    }
