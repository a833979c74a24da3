"""The metrics of grading photographs: their names, and how they are computed from the tables that evaluate stores.

A train program must not import this module: its metrics may change without training again.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.domains.retina import definitions
from winnow.domains.retina.definitions import GRADES
from winnow.judge.intervals import Statistic, defined
from winnow.judge.paired import Compared
from winnow.measure import classification as measure
from winnow.measure.calibration import calibration_errors

CLASSES = len(GRADES)
Floats = NDArray[np.float64]

VALIDATION_METRICS = (
    "loss",
    "quadratic_weighted_kappa",
    "accuracy",
    "macro_f1",
    "predictions_distinct",
    *(f"f1/{grade}" for grade in GRADES),
)
"""What train measures after each epoch: names for early stopping."""

GATE_METRICS = (
    "quadratic_weighted_kappa",
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "rare_f1",
    "macro_auc",
    "referable_sensitivity",
    "referable_specificity",
    "referable_auc",
    "ece",
    "uncalibrated_ece",
    *(f"class_{grade}_{name}" for grade in GRADES for name in ("precision", "recall", "f1")),
)
"""What evaluate measures of the model, of grades that have a test photograph: names for the gate."""


def statistics(rows: pd.DataFrame) -> dict[str, Statistic]:
    """Every metric as a function of how often each row is drawn; only those that are defined on these rows.

    `rows` has the columns of `Judged` and the true `grade`.
    """
    true, predicted = rows["grade"].to_numpy(np.int64), rows["predicted"].to_numpy(np.int64)
    probabilities = rows[definitions.probability_columns()].to_numpy(np.float64)

    def of_confusion(function: Callable[[Floats], Floats]) -> Statistic:
        return lambda counts: function(measure.resampled_confusions(true, predicted, CLASSES, counts))

    referable, referred = true >= definitions.REFERABLE_FROM, rows["referred"].to_numpy(bool)
    score = definitions.referable_probability(probabilities)

    def referral(function: Callable[[Floats], Floats], row: int) -> Statistic:
        return lambda counts: function(measure.resampled_confusions(referable, referred, 2, counts))[..., row]

    likeliest = probabilities.argmax(axis=1) == true

    def calibration_error(confidence: Floats) -> Statistic:
        return lambda counts: calibration_errors(confidence, likeliest, counts)

    found: dict[str, Statistic] = {
        "quadratic_weighted_kappa": of_confusion(measure.quadratic_weighted_kappas),
        "accuracy": of_confusion(measure.accuracies),
        "balanced_accuracy": of_confusion(measure.balanced_accuracies),
        "macro_f1": of_confusion(measure.macro_f1s),
        "rare_f1": of_confusion(lambda confusion: measure.macro_f1s(confusion, definitions.RARE)),
        "macro_auc": lambda counts: measure.macro_aucs(true, probabilities, counts),
        "referable_sensitivity": referral(measure.recalls, 1),
        "referable_specificity": referral(measure.recalls, 0),
        "referable_auc": lambda counts: measure.aucs(referable, score, counts),
        "ece": calibration_error(probabilities.max(axis=1)),
        "uncalibrated_ece": calibration_error(rows["raw_confidence"].to_numpy(np.float64)),
    }
    for grade in definitions.GRADES:
        if (true == grade).any():
            found |= {
                f"class_{grade}_precision": of_confusion(_of_class(measure.precisions, grade)),
                f"class_{grade}_recall": of_confusion(_of_class(measure.recalls, grade)),
                f"class_{grade}_f1": of_confusion(_of_class(measure.f1s, grade)),
            }
    return defined(found, len(rows))


def _of_class(function: Callable[[Floats], Floats], grade: int) -> Callable[[Floats], Floats]:
    """A class's own value; 0 where it is never predicted (as scikit-learn's zero_division)."""

    def own(confusion: Floats) -> Floats:
        values: Floats = function(confusion)[..., grade]
        present = confusion[..., grade, :].sum(axis=-1) > 0
        return np.where(present, np.nan_to_num(values), np.nan)

    return own


def proportions(rows: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """(hits, trials) of the metrics that are shares of photographs."""
    true, predicted = rows["grade"].to_numpy(np.int64), rows["predicted"].to_numpy(np.int64)
    confusion = measure.confusion_matrix(true, predicted, CLASSES).astype(np.int64)
    referable, referred = true >= definitions.REFERABLE_FROM, rows["referred"].to_numpy(bool)
    found = {
        "accuracy": (int(np.trace(confusion)), len(rows)),
        "referable_sensitivity": (int((referable & referred).sum()), int(referable.sum())),
        "referable_specificity": (int((~referable & ~referred).sum()), int((~referable).sum())),
    }
    for grade in definitions.GRADES:
        hits = int(confusion[grade, grade])
        found[f"class_{grade}_recall"] = (hits, int(confusion[grade].sum()))
        found[f"class_{grade}_precision"] = (hits, int(confusion[:, grade].sum()))
    return found


COMPARED = (
    Compared(
        "evaluate/predictions.parquet",
        key=["image_id"],
        groups="patient",
        truth=["grade"],
        statistics=statistics,
        rows=lambda table: table[table["split"] == "test"],
    ),
)
"""How two trained models are compared row by row."""
