"""The grader's metrics and baselines computed another way: by scikit-learn, or a formula written out."""

import numpy as np
import pandas as pd
from sklearn import metrics as sklearn
from sklearn.ensemble import RandomForestClassifier

METADATA = ["width", "height", "brightness", "red", "green", "blue"]


def median_grade(probabilities: np.ndarray) -> np.ndarray:
    """The first grade (rows,) that the true one exceeds with a chance of at most one half."""
    return np.array([next(g for g in range(5) if 1 - row[: g + 1].sum() <= 0.5) for row in probabilities])


def metrics_of(rows: pd.DataFrame) -> dict[str, float]:
    """Every metric that is defined on these rows: grade, predicted, referred, raw_confidence, p0 to p4."""
    true, predicted = rows["grade"].to_numpy(), rows["predicted"].to_numpy()
    probabilities = rows[[f"p{grade}" for grade in range(5)]].to_numpy()
    present = sorted(set(true.tolist()))
    rare = [grade for grade in (3, 4) if grade in present]
    referable, referred, score = true >= 2, rows["referred"].to_numpy(), probabilities[:, 2:].sum(axis=1)
    precision, recall, f1, _ = sklearn.precision_recall_fscore_support(
        true, predicted, labels=range(5), zero_division=0
    )
    each = [sklearn.roc_auc_score(true == g, probabilities[:, g]) for g in present if len(present) > 1]
    right = probabilities.argmax(axis=1) == true
    found = {
        "accuracy": sklearn.accuracy_score(true, predicted),
        "balanced_accuracy": recall[present].mean(),
        "macro_f1": sklearn.f1_score(true, predicted, labels=present, average="macro", zero_division=0),
        "ece": calibration_error(probabilities.max(axis=1), right),
        "uncalibrated_ece": calibration_error(rows["raw_confidence"].to_numpy(), right),
        "quadratic_weighted_kappa": 0.0,
    }
    if len({*true.tolist(), *predicted.tolist()}) > 1:
        kappa = sklearn.cohen_kappa_score(true, predicted, labels=range(5), weights="quadratic")
        found["quadratic_weighted_kappa"] = kappa
    if each:
        found["macro_auc"] = np.mean(each)
    if rare:
        found["rare_f1"] = sklearn.f1_score(true, predicted, labels=rare, average="macro", zero_division=0)
    if referable.any():
        found["referable_sensitivity"] = sklearn.recall_score(referable, referred)
    if not referable.all():
        found["referable_specificity"] = sklearn.recall_score(referable, referred, pos_label=False)
    if 0 < referable.sum() < len(true):
        found["referable_auc"] = sklearn.roc_auc_score(referable, score)
    for g in present:
        values = {"precision": precision[g], "recall": recall[g], "f1": f1[g]}
        found |= {f"class_{g}_{name}": value for name, value in values.items()}
    return {name: float(value) for name, value in found.items()}


def calibration_error(sure: np.ndarray, right: np.ndarray) -> float:
    """Mean distance of confidence and accuracy over ten bins, weighed by their rows."""
    bins = np.minimum((sure * 10).astype(int), 9)
    gaps = [abs(right[bins == b].mean() - sure[bins == b].mean()) * (bins == b).mean() for b in set(bins.tolist())]
    return float(sum(gaps))


def metadata_probabilities(photos: pd.DataFrame, grades: np.ndarray, side: np.ndarray, seed: int) -> np.ndarray:
    """Of the six forests on `METADATA` the one whose median grades agree best with validation, (rows, 5)."""
    inputs, found = photos[METADATA].to_numpy(float), []
    for leaf in (1, 10, 30):
        for weight in (None, "balanced"):
            forest = RandomForestClassifier(100, min_samples_leaf=leaf, class_weight=weight, random_state=seed)
            forest.fit(inputs[side == "train"], grades[side == "train"])
            probabilities = np.zeros((len(inputs), 5))
            probabilities[:, forest.classes_] = forest.predict_proba(inputs)
            val = side == "val"
            predicted = median_grade(probabilities[val])
            kappa = sklearn.cohen_kappa_score(grades[val], predicted, labels=range(5), weights="quadratic")
            found.append((kappa, probabilities))
    return max(found, key=lambda pair: pair[0])[1]
