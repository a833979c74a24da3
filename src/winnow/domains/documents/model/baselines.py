"""The baselines: one answer for all pages, and gradient-boosted trees on the measures that the network sees too."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from winnow.domains.documents import definitions
from winnow.domains.documents.model.assessing import Estimates, Raw, calibrate, retake_threshold
from winnow.measure.calibration import log_loss

CLASSES = len(definitions.CLASSES)
LEAVES = (3, 6, 12, 24, 48)
RATE = 0.08

Floats = NDArray[np.float64]


class Baseline(NamedTuple):
    """Estimates of all rows (no legibility or severities), the retake threshold, and the chosen settings."""

    estimates: Estimates
    retake_below: float
    settings: dict[str, int]


def constant(scores: Floats, labels: NDArray[np.int64], side: NDArray[np.str_], max_false_rejects: float) -> Baseline:
    """The mean score of the training images that have one, and the shares of their classes, for every row."""
    train, rows = (side == "train") & (labels >= 0), len(scores)
    shares = np.bincount(labels[train], minlength=CLASSES) / train.sum()
    score = np.full(rows, scores[train].mean())
    threshold = retake_threshold(score[side == "val"], scores[side == "val"], max_false_rejects)
    return Baseline(Estimates(score, np.full(rows, np.nan), np.tile(shares, (rows, 1)), _none(rows)), threshold, {})


def trees(
    measures: Floats,
    scores: Floats,
    labels: NDArray[np.int64],
    side: NDArray[np.str_],
    max_false_rejects: float,
    rounds: int,
    seed: int,
) -> Baseline:
    """Trees on measures `(rows, measures)`: one model of the score, chosen by its error on validation, and one of the
    class, chosen by its log loss there; calibrated on validation as the network is.

    Chosen are the leaves of a tree and the number of trees, up to `rounds`.
    """
    train, val = (side == "train") & (labels >= 0), side == "val"
    options = {"learning_rate": RATE, "max_iter": rounds, "early_stopping": False, "random_state": seed}
    with threadpool_limits(1):
        of_score = []
        for leaves in LEAVES:
            regressor = HistGradientBoostingRegressor(max_leaf_nodes=leaves, **options)
            regressor.fit(measures[train], scores[train])
            stages = list(regressor.staged_predict(measures[val]))
            errors = [float(np.abs(stage - scores[val]).mean()) for stage in stages]
            of_score.append((min(errors), leaves, int(np.argmin(errors)), regressor))
        _, score_leaves, score_rounds, best = min(of_score, key=lambda each: each[0])
        score = np.clip(_at(best.staged_predict(measures), score_rounds), 0, 1)
        of_class = []
        for leaves in LEAVES:
            classifier = HistGradientBoostingClassifier(max_leaf_nodes=leaves, **options)
            classifier.fit(measures[train], labels[train])
            staged = list(classifier.staged_predict_proba(measures[val]))
            losses = [_log_loss(labels[val], stage, classifier.classes_) for stage in staged]
            of_class.append((min(losses), leaves, int(np.argmin(losses)), classifier))
        _, class_leaves, class_rounds, chosen = min(of_class, key=lambda each: each[0])
        probabilities = np.zeros((len(scores), CLASSES))
        probabilities[:, chosen.classes_] = _at(chosen.staged_predict_proba(measures), class_rounds)
    unknown = np.full((len(scores), 2), np.nan)
    raw = Raw(score[:, None], unknown, probabilities, _none(len(scores)))
    on_validation = Raw(*(values[val] for values in raw))
    calibration = calibrate(on_validation, scores[val], unknown[val, 0], labels[val], max_false_rejects)
    settings = {
        "score_leaves": score_leaves,
        "score_rounds": score_rounds + 1,
        "class_leaves": class_leaves,
        "class_rounds": class_rounds + 1,
    }
    return Baseline(calibration.apply(raw), calibration.retake_below, settings)


def _at(stages: "object", number: int) -> Floats:
    for place, values in enumerate(stages):  # type: ignore[arg-type, var-annotated]
        if place == number:
            return np.asarray(values, dtype=np.float64)
    raise IndexError(number)


def _log_loss(labels: NDArray[np.int64], probabilities: Floats, classes: NDArray[np.int64]) -> float:
    """Also where validation has a class that training lacks."""
    whole = np.full((len(labels), CLASSES), 1e-6)
    whole[:, classes] = np.maximum(probabilities, 1e-6)
    return log_loss(whole / whole.sum(axis=1, keepdims=True), labels)


def _none(rows: int) -> Floats:
    return np.zeros((rows, len(definitions.ISSUES)))
