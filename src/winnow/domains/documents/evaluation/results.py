"""From estimates to figures: metrics, their bootstrap statistics, and the tables that the plot stage draws."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.domains.documents import definitions
from winnow.domains.documents.model.estimates import Estimates, Raw
from winnow.judge.intervals import Counts, Statistic, mean, ratio, transformed
from winnow.judge.slices import slice_metrics
from winnow.measure import classification as measure
from winnow.measure.calibration import calibration_errors, reliability, score_ece, top_label_ece
from winnow.measure.regression import mae, spearman_correlations

CLASSES = len(definitions.CLASSES)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Truth:
    """What is known of images, row by row."""

    scores: Floats
    labels: NDArray[np.int64]
    flags: Floats | None = None
    """(rows, 10): 1, 0, or NaN where unknown"""
    legibility: Floats | None = None
    """(rows,), NaN where unknown"""


def statistics(truth: Truth, found: Estimates, retake_below: float, flag_from: float) -> dict[str, Statistic]:
    """Every metric as a function of how often each row is drawn; only those that are defined on these rows.

    Metrics of issues and legibility are left out when `truth` does not know them.
    """
    predicted = found.probabilities.argmax(axis=1)
    error = np.abs(found.score - truth.scores)

    def of_confusion(function: Callable[[Floats], Floats]) -> Statistic:
        return lambda counts: function(measure.resampled_confusions(truth.labels, predicted, CLASSES, counts))

    def gap(confusion: Floats) -> Floats:
        return np.asarray(np.abs(measure.accuracies(confusion) - measure.balanced_accuracies(confusion)))

    def recall(number: int) -> Callable[[Floats], Floats]:
        return lambda confusion: measure.recalls(confusion)[..., number]

    acceptable = truth.scores >= definitions.ACCEPTABLE_FROM
    rejected = found.score < retake_below
    confidence = found.probabilities.max(axis=1)
    all_found: dict[str, Statistic] = {
        "mae": mean(error),
        "rmse": transformed(np.sqrt, mean(error**2)),
        **({} if truth.legibility is None else {"legibility_mae": mean(np.abs(found.legibility - truth.legibility))}),
        "accuracy": of_confusion(measure.accuracies),
        "balanced_accuracy": of_confusion(measure.balanced_accuracies),
        "balance_gap_error": of_confusion(gap),
        "within_one_accuracy": mean(np.abs(predicted - truth.labels) <= 1),
        "macro_f1": of_confusion(measure.macro_f1s),
        "ece": lambda counts: calibration_errors(confidence, predicted == truth.labels, counts),
        "score_ece": lambda counts: calibration_errors(found.score, truth.scores, counts),
        "spearman_correlation": lambda counts: spearman_correlations(found.score, truth.scores, counts),
        "retake_auc": lambda counts: measure.aucs(~acceptable, -found.score, counts),
        "retake_recall": ratio(rejected & ~acceptable, ~acceptable),
        "false_reject_error": ratio(rejected & acceptable, acceptable),
        **{
            f"class_{definitions.class_key(name)}_recall": of_confusion(recall(number))
            for number, name in enumerate(definitions.CLASSES)
        },
        **({} if truth.flags is None else issue_statistics(truth.flags, found.severities, flag_from)),
    }
    whole = np.ones((1, len(truth.scores)), dtype=np.int64)
    return {name: statistic for name, statistic in all_found.items() if np.isfinite(statistic(whole)).all()}


def issue_statistics(flags: Floats, severities: Floats, flag_from: float) -> dict[str, Statistic]:
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


def metrics(found: Mapping[str, Statistic], rows: int) -> dict[str, float]:
    """The statistics on the rows as they are."""
    whole: Counts = np.ones((1, rows), dtype=np.int64)
    return {name: float(statistic(whole)[0]) for name, statistic in found.items()}


def slices(test: pd.DataFrame, severities: NDArray[np.float64], flag_from: float) -> pd.DataFrame:
    """MAE by class, source and worst flagged issue (`none` without any): the columns of `Slices`.

    `test` has the columns of `Predictions`; `severities` `(rows, 10)` are the true ones, and images of which one is
    unknown (NaN) are in no slice by issue.
    """
    worst = np.array(definitions.ISSUES)[np.nan_to_num(severities).argmax(axis=1)]
    issue = pd.Series(np.where(severities.max(axis=1) >= flag_from, worst, "none"), test.index)
    named = test.assign(
        quality_class=pd.Categorical(np.array(definitions.CLASSES)[test["true_label"]], list(definitions.CLASSES)),
        source=test["image_id"].str.partition("/")[0],
        worst_issue=issue.where(np.isfinite(severities.sum(axis=1))),
    )
    by = ["quality_class", "source", "worst_issue"]
    return slice_metrics(named, by, {"mae": lambda part: mae(part["score"], part["true_score"])})


def before_calibration(raw: Raw) -> Estimates:
    """What the heads say by themselves: the mean of their scores, and probabilities as they are."""
    return Estimates(raw.scores.mean(axis=1), raw.legibility.mean(axis=1), raw.probabilities, raw.severities)


def calibration_metrics(truth: Truth, found: Estimates) -> dict[str, float]:
    """The metrics that calibration is for."""
    return {
        "ece": top_label_ece(found.probabilities, truth.labels),
        "score_ece": score_ece(found.score, truth.scores),
        "mae": mae(found.score, truth.scores),
    }


def per_issue(truth: Truth, severities: Floats, found: Estimates, flag_from: float) -> pd.DataFrame:
    """The columns of `PerIssue`; `severities` are the true ones, NaN where unknown."""
    rows = []
    for place, issue in enumerate(definitions.ISSUES):
        known = ~np.isnan(truth.flags[:, place]) if truth.flags is not None else np.zeros(len(truth.labels), bool)
        flagged = truth.flags[known, place] == 1 if truth.flags is not None else np.zeros(0, bool)
        predicted = found.severities[known, place]
        said = predicted >= flag_from
        error = np.abs(severities[:, place] - found.severities[:, place])
        rows.append(
            {
                "issue": issue,
                "samples": int(flagged.sum()),
                "recall": float(said[flagged].mean()) if flagged.any() else np.nan,
                "precision": float(flagged[said].mean()) if said.any() else np.nan,
                "average_precision": float(measure.average_precisions(flagged, predicted)[0])
                if flagged.any()
                else np.nan,
                "severity_error": float(np.nanmean(error)) if np.isfinite(error).any() else np.nan,
            }
        )
    return pd.DataFrame(rows)


def reliability_table(labels: NDArray[np.int64], raw: Floats, scaled: Floats) -> pd.DataFrame:
    """The columns of `Reliability`, of class probabilities `(rows, 5)` before and after calibration."""
    parts = []
    for is_scaled, probabilities in ((False, raw), (True, scaled)):
        bins = reliability(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels)
        part = pd.DataFrame(bins, columns=["confidence", "accuracy", "rows"])
        part.insert(0, "scaled", is_scaled)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)
