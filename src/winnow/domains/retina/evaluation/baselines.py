"""The baselines: the majority class, a model of metadata, and a model of a frozen network's features."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from winnow.domains.retina import definitions
from winnow.domains.retina.evaluation.results import grade_rows
from winnow.domains.retina.model.calibration import Calibration, calibrate
from winnow.measure.classification import quadratic_weighted_kappa

METADATA = ["width", "height", "brightness", "red", "green", "blue"]
"""Nothing of the retina itself; published work finds that such columns alone reach a kappa of .65 on APTOS."""

Floats = NDArray[np.float64]


def majority(train: NDArray[np.int64], rows: int) -> Floats:
    """Probabilities `(rows, 5)`: the shares of the training photographs, so that the commonest grade is predicted."""
    shares = np.bincount(train, minlength=len(definitions.GRADES)) / len(train)
    return np.tile(shares, (rows, 1))


def metadata_model(photos: pd.DataFrame, decision: definitions.Decision, *, refit: bool, seed: int) -> Floats:
    """Probabilities `(rows, 5)` of a random forest on `METADATA`; leaf size and class weights chosen on validation.

    `photos` has grade and split as well. With `refit` the test rows are those of the chosen settings fitted on
    training and validation, as the network was.
    """
    grid = [
        RandomForestClassifier(100, min_samples_leaf=leaf, class_weight=weight, random_state=seed)
        for leaf in (1, 10, 30)
        for weight in (None, "balanced")
    ]
    return _best(grid, photos[METADATA].to_numpy(np.float64), photos, decision, refit=refit)


def feature_model(features: Floats, photos: pd.DataFrame, decision: definitions.Decision, *, refit: bool) -> Floats:
    """Probabilities `(rows, 5)` of a logistic regression on a frozen network's pooled features `(rows, channels)`.

    Strength and class weights are chosen on validation; `photos` and `refit` as for `metadata_model`.
    """
    grid = [
        make_pipeline(StandardScaler(), LogisticRegression(C=strength, class_weight=weight, max_iter=3000))
        for strength in (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
        for weight in (None, "balanced")
    ]
    return _best(grid, features, photos, decision, refit=refit)


def judged(
    probabilities: Mapping[str, Floats], rows: pd.DataFrame, decision: definitions.Decision, model: Calibration
) -> dict[str, pd.DataFrame]:
    """Each baseline's rows as `results.grade_rows`, of its probabilities `(rows, 5)` of all of them.

    As the network, whose calibration `model` is, each is calibrated and gets its referral threshold in the validation
    split of `rows` (grade, split).
    The majority is the commonest grade, whatever the rule by which others become grades.
    """
    grades, val = rows["grade"].to_numpy(np.int64), (rows["split"] == "val").to_numpy(bool)
    found = {}
    for name, raw in probabilities.items():
        calibration = calibrate(raw[val], grades[val], model.refer_sensitivity, model.coverage)
        found[name] = grade_rows(raw, "likeliest" if name == "majority" else decision, calibration)
    return found


def _best(
    grid: list[ClassifierMixin], inputs: Floats, photos: pd.DataFrame, decision: definitions.Decision, *, refit: bool
) -> Floats:
    """Probabilities of the model whose grades agree best on validation (the first of equals)."""
    grades, split = photos["grade"].to_numpy(np.int64), photos["split"].to_numpy(str)

    def fitted(model: ClassifierMixin, rows: NDArray[np.bool_]) -> Floats:
        model.fit(inputs[rows], grades[rows])
        probabilities = np.zeros((len(inputs), len(definitions.GRADES)))
        probabilities[:, model.classes_] = model.predict_proba(inputs)
        return probabilities

    def agreement(probabilities: Floats) -> float:
        predicted = definitions.decide(probabilities[split == "val"], decision)
        return quadratic_weighted_kappa(grades[split == "val"], predicted, len(definitions.GRADES))

    found = [(model, fitted(model, split == "train")) for model in grid]
    best, probabilities = max(found, key=lambda pair: agreement(pair[1]))
    if refit:
        probabilities[split == "test"] = fitted(best, split != "test")[split == "test"]
    return probabilities
