"""Classification metrics of confusion matrices, one or many at once, and of scores.

A confusion matrix is `(…, classes, classes)`, true class by predicted class; leading dimensions are resamples, so that
the same functions give a metric and its bootstrap distribution. Where a metric is undefined it is NaN.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def confusion_matrix(true: ArrayLike, predicted: ArrayLike, classes: int) -> Floats:
    """Counts `(classes, classes)`."""
    cells = np.asarray(true, dtype=np.int64) * classes + np.asarray(predicted, dtype=np.int64)
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes).astype(np.float64)


def resampled_confusions(true: ArrayLike, predicted: ArrayLike, classes: int, counts: ArrayLike) -> Floats:
    """Confusion matrices `(resamples, classes, classes)` of rows that occur `counts` `(resamples, rows)` times."""
    cells = np.asarray(true, dtype=np.int64) * classes + np.asarray(predicted, dtype=np.int64)
    drawn = np.asarray(counts, dtype=np.float64) @ np.eye(classes**2)[cells]
    return np.asarray(drawn.reshape(-1, classes, classes), dtype=np.float64)


def accuracies(confusion: Floats) -> Floats:
    return _ratio(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum(axis=(-2, -1)))


def recalls(confusion: Floats) -> Floats:
    """Of each class `(…, classes)`; NaN for a class without a row."""
    return _ratio(_diagonal(confusion), confusion.sum(axis=-1))


def precisions(confusion: Floats) -> Floats:
    """Of each class `(…, classes)`; NaN for a class that is never predicted."""
    return _ratio(_diagonal(confusion), confusion.sum(axis=-2))


def f1s(confusion: Floats) -> Floats:
    """Of each class `(…, classes)`; NaN for a class that neither occurs nor is predicted."""
    return _ratio(2 * _diagonal(confusion), confusion.sum(axis=-1) + confusion.sum(axis=-2))


def balanced_accuracies(confusion: Floats) -> Floats:
    """Mean recall of the classes that have a row."""
    return _mean_present(recalls(confusion), confusion)


def macro_f1s(confusion: Floats, classes: Sequence[int] | None = None) -> Floats:
    """Mean F1 of the classes that have a row, of `classes` alone when given."""
    chosen = np.arange(confusion.shape[-1]) if classes is None else np.asarray(classes)
    return _mean_present(f1s(confusion)[..., chosen], confusion[..., chosen, :])


def quadratic_weighted_kappas(confusion: Floats) -> Floats:
    """Agreement beyond chance, mistakes weighed by their squared distance (Cohen 1968); 0 where nothing can differ."""
    classes = confusion.shape[-1]
    scale = np.arange(classes)
    distance = (scale[:, None] - scale) ** 2
    expected = confusion.sum(axis=-1)[..., :, None] * confusion.sum(axis=-2)[..., None, :]
    disagreement = (distance * confusion).sum(axis=(-2, -1)) * confusion.sum(axis=(-2, -1))
    by_chance = (distance * expected).sum(axis=(-2, -1))
    kappa: Floats = 1 - np.divide(disagreement, by_chance, out=np.ones_like(disagreement), where=by_chance > 0)
    return kappa


def accuracy(true: ArrayLike, predicted: ArrayLike) -> float:
    """Share of rows that are right."""
    return float(np.mean(np.asarray(true) == np.asarray(predicted)))


def f1_per_class(true: ArrayLike, predicted: ArrayLike, classes: int) -> Floats:
    return f1s(confusion_matrix(true, predicted, classes))


def quadratic_weighted_kappa(true: ArrayLike, predicted: ArrayLike, classes: int) -> float:
    return float(quadratic_weighted_kappas(confusion_matrix(true, predicted, classes)))


def aucs(positive: ArrayLike, score: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Area under the ROC curve `(resamples,)`: the chance that a positive row scores above a negative one, ties half.

    `counts` `(resamples, rows)` says how often each row occurs in each resample; one resample of all rows without it.
    NaN where positives or negatives are missing.
    """
    scores = np.asarray(score, dtype=np.float64)
    order = np.argsort(scores, kind="stable")
    weights = np.ones((1, len(scores))) if counts is None else np.asarray(counts, dtype=np.float64)
    weights, is_positive = weights[:, order], np.asarray(positive, dtype=bool)[order]
    starts = np.flatnonzero(np.append(True, np.diff(scores[order]) > 0))
    above = np.add.reduceat(weights * is_positive, starts, axis=1)
    below = np.add.reduceat(weights * ~is_positive, starts, axis=1)
    beaten = np.cumsum(below, axis=1) - below / 2
    return _ratio((above * beaten).sum(axis=1), above.sum(axis=1) * below.sum(axis=1))


def average_precisions(positive: ArrayLike, score: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Mean precision over the recalls that the scores reach `(resamples,)`, without interpolation (as scikit-learn).

    `counts` as for `aucs`. NaN where positives are missing.
    """
    scores = np.asarray(score, dtype=np.float64)
    order = np.argsort(-scores, kind="stable")
    weights = np.ones((1, len(scores))) if counts is None else np.asarray(counts, dtype=np.float64)
    weights, is_positive = weights[:, order], np.asarray(positive, dtype=bool)[order]
    starts = np.flatnonzero(np.append(True, np.diff(scores[order]) < 0))
    hits = np.add.reduceat(weights * is_positive, starts, axis=1)
    drawn = np.cumsum(np.add.reduceat(weights, starts, axis=1), axis=1)
    found = np.cumsum(hits, axis=1)
    precision = np.divide(found, drawn, out=np.zeros_like(found), where=drawn > 0)
    return _ratio((hits * precision).sum(axis=1), hits.sum(axis=1))


def macro_aucs(true: ArrayLike, probabilities: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Mean AUC of each class against the rest `(resamples,)`, over the classes that have a row (as MedMNIST)."""
    grades, scores = np.asarray(true), np.asarray(probabilities, dtype=np.float64)
    each = np.stack([aucs(grades == label, scores[:, label], counts) for label in range(scores.shape[1])])
    defined = ~np.isnan(each)
    return _ratio(np.where(defined, each, 0).sum(axis=0), defined.sum(axis=0).astype(np.float64))


def _diagonal(confusion: Floats) -> Floats:
    diagonal: Floats = np.diagonal(confusion, axis1=-2, axis2=-1)
    return diagonal


def _mean_present(values: Floats, confusion: Floats) -> Floats:
    present = confusion.sum(axis=-1) > 0
    return _ratio(np.where(present, np.nan_to_num(values), 0).sum(axis=-1), present.sum(axis=-1).astype(np.float64))


def _ratio(above: Floats, below: Floats) -> Floats:
    undefined = np.full(np.shape(below), np.nan)
    quotient: Floats = np.divide(above, below, out=undefined, where=np.asarray(below) != 0)
    return quotient
