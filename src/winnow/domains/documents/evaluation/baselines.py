"""The baselines: one answer for all pages, and gradient-boosted trees on the measures that the network sees too."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from winnow.domains.documents import definitions
from winnow.domains.documents.model.estimates import Estimates, Raw, calibrate, retake_threshold
from winnow.measure.calibration import log_loss

CLASSES = len(definitions.CLASSES)
LEAVES = (3, 6, 12, 24, 48)
RATE = 0.08
PATIENCE = 80
"""Rounds without a lower loss on validation after which no more are added."""

Floats = NDArray[np.float64]


class Baseline(NamedTuple):
    """Estimates of all rows (no legibility or severities), the retake threshold, and the chosen settings."""

    estimates: Estimates
    retake_below: float
    settings: dict[str, int]


def constant(scores: Floats, labels: NDArray[np.int64], split: NDArray[np.str_], max_false_rejects: float) -> Baseline:
    """The mean score of the training images that have one, and the shares of their classes, for every row."""
    train, rows = (split == "train") & (labels >= 0), len(scores)
    shares = np.bincount(labels[train], minlength=CLASSES) / train.sum()
    score = np.full(rows, scores[train].mean())
    threshold = retake_threshold(score[split == "val"], scores[split == "val"], max_false_rejects)
    unknown = np.full(rows, np.nan)
    return Baseline(Estimates(score, unknown, np.tile(shares, (rows, 1)), _none(rows), unknown), threshold, {})


def trees(
    measures: Floats,
    scores: Floats,
    labels: NDArray[np.int64],
    split: NDArray[np.str_],
    max_false_rejects: float,
    rounds: int,
    seed: int,
) -> Baseline:
    """Trees on measures `(rows, measures)`: one model of the score, chosen by its error on validation, and one of the
    class, chosen by its log loss there; calibrated on validation as the network is.

    Chosen are the leaves of a tree and the number of trees, up to `rounds`.
    """
    train, val = (split == "train") & (labels >= 0), split == "val"
    options = {"learning_rate": RATE, "early_stopping": False, "warm_start": True, "random_state": seed}
    with threadpool_limits(1):
        of_score = [
            _grown(
                HistGradientBoostingRegressor(max_leaf_nodes=leaves, **options),
                (measures[train], scores[train]),
                rounds,
                lambda model: [
                    float(np.abs(each - scores[val]).mean()) for each in model.staged_predict(measures[val])
                ],
            )
            for leaves in LEAVES
        ]
        of_class = [
            _grown(
                HistGradientBoostingClassifier(max_leaf_nodes=leaves, **options),
                (measures[train], labels[train]),
                rounds,
                lambda model: [
                    _log_loss(labels[val], stage, model.classes_) for stage in model.staged_predict_proba(measures[val])
                ],
            )
            for leaves in LEAVES
        ]
        best, chosen = (min(grown, key=lambda each: each.loss) for grown in (of_score, of_class))
        score = np.clip(_at(best.model.staged_predict(measures), best.rounds), 0, 1)
        probabilities = np.zeros((len(scores), CLASSES))
        staged = chosen.model.staged_predict_proba(measures)
        probabilities[:, chosen.model.classes_] = _at(staged, chosen.rounds)
    unknown = np.full((len(scores), 2), np.nan)
    raw = Raw(score[:, None], unknown, probabilities, _none(len(scores)), unknown[:, 0])
    on_validation = Raw(*(values[val] for values in raw))
    calibration = calibrate(on_validation, scores[val], unknown[val, 0], labels[val], max_false_rejects)
    settings = {
        "score_leaves": best.model.max_leaf_nodes,
        "score_rounds": best.rounds,
        "class_leaves": chosen.model.max_leaf_nodes,
        "class_rounds": chosen.rounds,
    }
    return Baseline(calibration.apply(raw), calibration.retake_below, settings)


class _Grown(NamedTuple):
    """Trees of which the first so many rounds have the lowest loss on validation."""

    loss: float
    rounds: int
    model: Any


def _grown(model: Any, train: tuple[Floats, NDArray[Any]], rounds: int, losses: Callable[[Any], list[float]]) -> _Grown:
    """Rounds are added until the last `PATIENCE` were no better, or there are `rounds`; `losses` are after each."""
    grown = best = 0
    while grown < rounds and grown - best < PATIENCE:
        grown = min(grown + PATIENCE, rounds)
        found = losses(model.set_params(max_iter=grown).fit(*train))
        best = int(np.argmin(found)) + 1
    return _Grown(min(found), best, model)


def _at(stages: Iterator[Floats], rounds: int) -> Floats:
    """What is predicted after so many rounds."""
    return np.asarray(next(islice(stages, rounds - 1, None)), dtype=np.float64)


def _log_loss(labels: NDArray[np.int64], probabilities: Floats, classes: NDArray[np.int64]) -> float:
    """Also where validation has a class that training lacks."""
    whole = np.full((len(labels), CLASSES), 1e-6)
    whole[:, classes] = np.maximum(probabilities, 1e-6)
    return log_loss(whole / whole.sum(axis=1, keepdims=True), labels)


def _none(rows: int) -> Floats:
    return np.zeros((rows, len(definitions.ISSUES)))
