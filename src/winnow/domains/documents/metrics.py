"""The metrics of document scans: their names, and how they are computed from the tables that evaluate stores.

A train program must not import this module: its metrics may change without training again.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.domains.documents import definitions
from winnow.domains.documents.definitions import CLASSES, ISSUES, class_key
from winnow.judge.intervals import Statistic, defined, mean, ratio, transformed
from winnow.judge.paired import Compared
from winnow.measure import classification as measure
from winnow.measure.calibration import calibration_errors
from winnow.measure.regression import spearman_correlations

Floats = NDArray[np.float64]

VALIDATION_METRICS = (
    "loss",
    "mae",
    "rmse",
    "accuracy",
    "balanced_accuracy",
    "predictions_distinct",
    *(f"class_accuracy/{class_key(name)}" for name in CLASSES),
)
"""What train measures after each epoch: names for early stopping."""

GATE_METRICS = (
    "mae",
    "rmse",
    "accuracy",
    "balanced_accuracy",
    "balance_gap_error",
    "within_one_accuracy",
    "macro_f1",
    "legibility_mae",
    "ece",
    "score_ece",
    "spearman_correlation",
    "retake_auc",
    "retake_recall",
    "false_reject_error",
    *(f"class_{class_key(name)}_recall" for name in CLASSES),
    *(f"{issue}_{name}" for issue in ISSUES for name in ("recall", "average_precision")),
    "issues_average_precision",
)
"""What evaluate measures of the model, of classes and issues that a test image has: names for the gate."""


def statistics(images: pd.DataFrame) -> dict[str, Statistic]:
    """Every metric as a function of how often each row is drawn; only those that are defined on these rows.

    `images` has the columns of `Predictions`. A baseline's may lack those of legibility and issues, whose metrics are
    then left out, and the class, which is then the most probable one.
    """
    probabilities = images[definitions.probability_columns()].to_numpy(np.float64)
    chosen = images["label"] if "label" in images else pd.Series(probabilities.argmax(axis=1))
    predicted, labels = chosen.to_numpy(np.int64), images["true_label"].to_numpy(np.int64)
    score, true = images["score"].to_numpy(np.float64), images["true_score"].to_numpy(np.float64)
    error, confidence = np.abs(score - true), probabilities[np.arange(len(images)), predicted]
    acceptable, rejected = true >= definitions.ACCEPTABLE_FROM, images["rejected"].to_numpy(bool)

    def of_confusion(function: Callable[[Floats], Floats]) -> Statistic:
        return lambda counts: function(measure.resampled_confusions(labels, predicted, len(CLASSES), counts))

    def gap(confusion: Floats) -> Floats:
        return np.asarray(np.abs(measure.accuracies(confusion) - measure.balanced_accuracies(confusion)))

    def recall(number: int) -> Callable[[Floats], Floats]:
        return lambda confusion: measure.recalls(confusion)[..., number]

    found: dict[str, Statistic] = {
        "mae": mean(error),
        "rmse": transformed(np.sqrt, mean(error**2)),
        "accuracy": of_confusion(measure.accuracies),
        "balanced_accuracy": of_confusion(measure.balanced_accuracies),
        "balance_gap_error": of_confusion(gap),
        "within_one_accuracy": mean(np.abs(predicted - labels) <= 1),
        "macro_f1": of_confusion(measure.macro_f1s),
        "ece": lambda counts: calibration_errors(confidence, predicted == labels, counts),
        "score_ece": lambda counts: calibration_errors(score, true, counts),
        "spearman_correlation": lambda counts: spearman_correlations(score, true, counts),
        "retake_auc": lambda counts: measure.aucs(~acceptable, -score, counts),
        "retake_recall": ratio(rejected & ~acceptable, ~acceptable),
        "false_reject_error": ratio(rejected & acceptable, acceptable),
        **{f"class_{class_key(name)}_recall": of_confusion(recall(number)) for number, name in enumerate(CLASSES)},
    }
    if "true_legibility" in images:
        found["legibility_mae"] = mean((images["legibility"] - images["true_legibility"]).abs())
    if "true_readability" in images:
        said, read = (images[name].to_numpy(np.float64) for name in ("readability", "true_readability"))
        found |= _readability(said, read)
    if "flag_from" in images:
        flags, severities = (
            images[columns].to_numpy(np.float64)
            for columns in (definitions.flag_columns(), definitions.severity_columns())
        )
        found |= issue_statistics(flags, severities, images["flag_from"].to_numpy(np.float64))
    return defined(found, len(images))


def _readability(said: Floats, true: Floats) -> dict[str, Statistic]:
    """Spearman's correlation with what an OCR found, of the images that it has read; nothing without two."""
    known = ~(np.isnan(said) | np.isnan(true))
    if known.sum() < 2:
        return {}
    return {"readability_correlation": lambda counts: spearman_correlations(said[known], true[known], counts[:, known])}


def issue_statistics(flags: Floats, severities: Floats, flag_from: float | Floats) -> dict[str, Statistic]:
    """Recall at the threshold of flags and average precision of each issue, and the mean of the latter.

    Each issue by the rows where its flag is known, and only issues that some row has.
    """
    statistics: dict[str, Statistic] = {}
    for place, issue in enumerate(definitions.ISSUES):
        flagged, severity = flags[:, place] == 1, severities[:, place]
        if flagged.any():
            statistics[f"{issue}_recall"] = ratio(flagged & (severity >= flag_from), flagged)
            known = ~np.isnan(flags[:, place])
            statistics[f"{issue}_average_precision"] = _average_precision(flagged, severity, known)
    each = [statistic for name, statistic in statistics.items() if name.endswith("_average_precision")]
    if each:
        statistics["issues_average_precision"] = lambda counts: np.mean([one(counts) for one in each], axis=0)
    return statistics


def _average_precision(flagged: NDArray[np.bool_], severity: Floats, known: NDArray[np.bool_]) -> Statistic:
    return lambda counts: measure.average_precisions(flagged[known], severity[known], counts[:, known])


COMPARED = (
    Compared(
        "evaluate/predictions.parquet",
        key=["image_id"],
        groups="document",
        truth=["true_score", "true_label"],
        statistics=statistics,
        rows=lambda table: table[table["split"] == "test"],
    ),
)
"""How two trained models are compared row by row."""
