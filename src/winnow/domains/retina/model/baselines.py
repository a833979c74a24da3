"""The baselines: the majority class, a model of metadata, and a model of a frozen network's features."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from winnow.domains.retina import definitions
from winnow.measure.classification import quadratic_weighted_kappa

METADATA = ["width", "height", "brightness", "red", "green", "blue"]
"""Nothing of the retina itself; published work finds that such columns alone reach a kappa of .65 on APTOS."""

Floats = NDArray[np.float64]


def majority(train: NDArray[np.int64], rows: int) -> Floats:
    """Probabilities `(rows, 5)`: the shares of the training photographs, so that the commonest grade is predicted."""
    shares = np.bincount(train, minlength=len(definitions.GRADES)) / len(train)
    return np.tile(shares, (rows, 1))


def metadata_model(
    photos: pd.DataFrame, grades: NDArray[np.int64], side: NDArray[np.str_], decision: definitions.Decision, seed: int
) -> Floats:
    """Probabilities `(rows, 5)` of a random forest on `METADATA`; leaf size and class weights chosen on validation."""
    grid = [
        RandomForestClassifier(100, min_samples_leaf=leaf, class_weight=weight, random_state=seed)
        for leaf in (1, 10)
        for weight in (None, "balanced")
    ]
    return _best(grid, photos[METADATA].to_numpy(np.float64), grades, side, decision)


def feature_model(
    features: Floats, grades: NDArray[np.int64], side: NDArray[np.str_], decision: definitions.Decision
) -> Floats:
    """Probabilities `(rows, 5)` of a logistic regression on a frozen network's pooled features `(rows, channels)`."""
    grid = [
        make_pipeline(StandardScaler(), LogisticRegression(C=strength, class_weight=weight, max_iter=3000))
        for strength in (1e-4, 1e-3, 1e-2)
        for weight in (None, "balanced")
    ]
    return _best(grid, features, grades, side, decision)


def table(image_ids: "pd.Series[str]", probabilities: Mapping[str, Floats]) -> pd.DataFrame:
    """The columns of `BaselinePredictions`, from each baseline's probabilities `(rows, 5)` of these photographs."""
    columns = definitions.probability_columns()
    parts = [
        pd.DataFrame(values, columns=columns).assign(baseline=name, image_id=image_ids.to_numpy())
        for name, values in probabilities.items()
    ]
    return pd.concat(parts)[["baseline", "image_id", *columns]]


def _best(
    grid: list[object],
    inputs: Floats,
    grades: NDArray[np.int64],
    side: NDArray[np.str_],
    decision: definitions.Decision,
) -> Floats:
    """Probabilities of the model whose grades agree best on validation (the first of equals)."""
    found: list[tuple[float, Floats]] = []
    for model in grid:
        fitted = model.fit(inputs[side == "train"], grades[side == "train"])  # type: ignore[attr-defined]
        probabilities = np.zeros((len(inputs), len(definitions.GRADES)))
        probabilities[:, fitted.classes_] = fitted.predict_proba(inputs)
        predicted = definitions.decide(probabilities[side == "val"], decision)
        found.append(
            (quadratic_weighted_kappa(grades[side == "val"], predicted, len(definitions.GRADES)), probabilities)
        )
    return max(found, key=lambda pair: pair[0])[1]
