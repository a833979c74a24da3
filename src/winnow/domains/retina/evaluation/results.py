"""From probabilities to figures: metrics, their bootstrap statistics, and the tables that the plot stage draws."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from winnow.curate.split_names import SPLITS
from winnow.domains.retina import definitions
from winnow.domains.retina.model.calibration import Calibration
from winnow.judge.intervals import Counts, Interval, Statistic, bootstrap, wilson
from winnow.judge.settings import Bootstrap
from winnow.judge.slices import slice_metrics
from winnow.measure import classification as measure
from winnow.measure.calibration import calibration_errors, reliability

CLASSES = len(definitions.GRADES)
Floats = NDArray[np.float64]


def grade_rows(raw: Floats, decision: definitions.Decision, calibration: Calibration) -> pd.DataFrame:
    """The columns of `Judged` but for the image_id, of probabilities `(rows, 5)` before calibration."""
    values = calibration.probabilities(raw)
    return pd.DataFrame(values, columns=definitions.probability_columns()).assign(
        predicted=definitions.decide(values, decision),
        referred=calibration.refers(values),
        raw_confidence=raw.max(axis=1),
    )


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
    whole = np.ones((1, len(true)), dtype=np.int64)
    return {name: statistic for name, statistic in found.items() if np.isfinite(statistic(whole)).all()}


def slices(test: pd.DataFrame) -> pd.DataFrame:
    """Accuracy by grade and by source: the columns of `Slices`."""
    return slice_metrics(
        test, ["grade", "source"], {"accuracy": lambda part: (part["grade"] == part["predicted"]).mean()}
    )


def _of_class(function: Callable[[Floats], Floats], grade: int) -> Callable[[Floats], Floats]:
    """A class's own value; 0 where it is never predicted (as scikit-learn's zero_division)."""

    def own(confusion: Floats) -> Floats:
        values: Floats = function(confusion)[..., grade]
        present = confusion[..., grade, :].sum(axis=-1) > 0
        return np.where(present, np.nan_to_num(values), np.nan)

    return own


def metrics(found: Mapping[str, Statistic], rows: int) -> dict[str, float]:
    """The statistics on the rows as they are."""
    whole: Counts = np.ones((1, rows), dtype=np.int64)
    return {name: float(statistic(whole)[0]) for name, statistic in found.items()}


def judge(rows: pd.DataFrame) -> dict[str, float]:
    """All metrics of rows with the columns of `Judged` and the true `grade`."""
    return metrics(statistics(rows), len(rows))


def intervals(rows: pd.DataFrame, params: Bootstrap, rng: np.random.Generator) -> dict[str, Interval]:
    """Of every metric, over resamples of patients.

    A proportion's is never narrower than Wilson's at either end: resamples of 7 hits in 7 are all 7 hits in 7.
    """
    found = bootstrap(statistics(rows), len(rows), rng=rng, groups=rows["patient"], **params.model_dump())
    for name, (hits, trials) in proportions(rows).items():
        if name in found and trials:
            own, least = found[name], wilson(hits, trials, params.confidence)
            found[name] = Interval(min(own.low, least.low), max(own.high, least.high))
    return found


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


def per_class(predictions: pd.DataFrame, interval: Mapping[str, Interval]) -> pd.DataFrame:
    """The columns of `PerClass`; a grade that a split lacks has no row there."""
    rows = []
    for split in SPLITS:
        part = predictions[predictions["split"] == split]
        confusion = measure.confusion_matrix(part["grade"], part["predicted"], CLASSES)
        for grade in definitions.GRADES:
            if samples := int(confusion[grade].sum()):
                bounds = interval.get(f"class_{grade}_f1") if split == "test" else None
                rows.append(
                    {
                        "split": split,
                        "grade": grade,
                        "samples": samples,
                        "precision": float(np.nan_to_num(measure.precisions(confusion)[grade])),
                        "recall": float(measure.recalls(confusion)[grade]),
                        "f1": float(measure.f1s(confusion)[grade]),
                        "f1_low": bounds.low if bounds else np.nan,
                        "f1_high": bounds.high if bounds else np.nan,
                    }
                )
    return pd.DataFrame(rows)


def overfitting(table: pd.DataFrame, gap: float) -> dict[str, Any]:
    """F1 of train minus validation for each grade, and whether the rare grades are overfitted."""
    f1 = table.set_index(["grade", "split"])["f1"].unstack()  # noqa: PD010 - nothing to aggregate
    gaps = (f1["train"] - f1["val"]).dropna() if {"train", "val"} <= set(f1.columns) else pd.Series(dtype=float)
    rare, common = gaps[gaps.index.isin(definitions.RARE)], gaps[~gaps.index.isin(definitions.RARE)]
    if rare.empty or common.empty:
        verdict = "cannot be determined: train or validation lacks the rare or the common grades"
    elif rare.mean() > gap and rare.mean() > common.mean():
        verdict = f"overfits to the rare grades: their F1 is {rare.mean():.2f} higher in training than in validation"
    elif gaps.mean() > gap:
        verdict = f"overfits, and not to the rare grades alone: F1 is {gaps.mean():.2f} higher in training"
    else:
        verdict = "no overfitting to the rare grades"
    return {"verdict": verdict, "f1_gap": {str(grade): float(value) for grade, value in gaps.items()}}


def rocs(rows: pd.DataFrame) -> pd.DataFrame:
    """The columns of `Rocs`, for the grades that some rows have and some have not."""
    parts = []
    for grade in definitions.GRADES:
        true = rows["grade"] == grade
        if 0 < true.sum() < len(true):
            false_positive, recall, _ = roc_curve(true, rows[f"p{grade}"])
            parts.append(pd.DataFrame({"grade": grade, "false_positive_rate": false_positive, "recall": recall}))
    return pd.concat(parts, ignore_index=True)


def reliability_table(rows: pd.DataFrame) -> pd.DataFrame:
    """The columns of `Reliability`: of the likeliest grade, before and after calibration."""
    probabilities = rows[definitions.probability_columns()].to_numpy(np.float64)
    right = probabilities.argmax(axis=1) == rows["grade"].to_numpy()
    parts = [
        pd.DataFrame(reliability(confidence, right), columns=["confidence", "accuracy", "rows"]).assign(scaled=scaled)
        for scaled, confidence in ((False, rows["raw_confidence"]), (True, probabilities.max(axis=1)))
    ]
    return pd.concat(parts, ignore_index=True)[["scaled", "confidence", "accuracy", "rows"]]
