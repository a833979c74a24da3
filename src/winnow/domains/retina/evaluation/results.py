"""What evaluate finds of the grader: its metrics beside the baselines', and the tables that plot draws."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binom
from sklearn.metrics import roc_curve

from winnow.curate.split_names import SPLITS
from winnow.domains.retina import definitions
from winnow.domains.retina.metrics import proportions, statistics
from winnow.domains.retina.model.calibration import Calibration
from winnow.domains.retina.params import Evaluate
from winnow.judge.intervals import Interval, bootstrap, mean, wilson
from winnow.judge.result import EvaluationResult, compare
from winnow.judge.settings import Bootstrap
from winnow.judge.slices import slice_metrics
from winnow.measure import classification as measure
from winnow.measure.calibration import reliability

CLASSES = len(definitions.GRADES)
Floats = NDArray[np.float64]
ECE_MARGIN = 0.05
"""A larger difference of calibration errors is told; a smaller one is common between samples of a few hundred."""


def grade_rows(raw: Floats, decision: definitions.Decision, calibration: Calibration) -> pd.DataFrame:
    """The columns of `Judged` but for the image_id, of probabilities `(rows, 5)` before calibration."""
    values = calibration.probabilities(raw)
    return pd.DataFrame(values, columns=definitions.probability_columns()).assign(
        predicted=definitions.decide(values, decision),
        referred=calibration.refers(values),
        raw_confidence=raw.max(axis=1),
    )


def never_predicted(test: pd.DataFrame) -> list[int]:
    """The grades that test photographs have and none is given."""
    return [
        grade
        for grade in definitions.GRADES
        if (test["grade"] == grade).any() and not (test["predicted"] == grade).any()
    ]


def never_predicted_words(never: Sequence[int]) -> list[str]:
    """What the verdict's sentence says of them; nothing when there are none."""
    named = ", ".join(f"grade {grade} ({definitions.GRADE_NAMES[grade]})" for grade in never)
    return [f"it never predicts {named}"] if never else []


def doubted_chances(metrics: Mapping[str, float]) -> list[str]:
    """A warning where calibration has made the chances clearly worse than they were."""
    after, before = metrics["ece"], metrics["uncalibrated_ece"]
    if after - before <= ECE_MARGIN:
        return []
    told = f"⚠ calibration made the chances worse here (ece {after:.3f}, uncalibrated_ece {before:.3f})"
    return [f"{told}: do not rely on them; the temperature was fitted on validation photographs, few or unlike these"]


def possible_grades(
    test: pd.DataFrame, calibration: Calibration, params: Bootstrap, rng: np.random.Generator
) -> dict[str, Any]:
    """How often the true grade is a possible one, of all, with an interval over patients, and by grade.

    `grades` are how many are possible on average, and `uncovered` the grades whose share is below the coverage asked
    for beyond chance: one limit holds for all grades, and what is rare or mistaken for another pays for it.
    """
    low, high = calibration.possible(test[definitions.probability_columns()].to_numpy()).T
    covered = (low <= test["grade"]) & (test["grade"] <= high)
    by_grade = covered.groupby(test["grade"])
    own = bootstrap(
        {"coverage": mean(covered.to_numpy(np.float64))},
        len(test), rng=rng, groups=test["patient"], **params.model_dump(),
    )["coverage"]  # fmt: skip
    least = wilson(int(covered.sum()), len(test), params.confidence)
    return {
        "coverage": float(covered.mean()),
        "low": min(own.low, least.low),
        "high": max(own.high, least.high),
        "by_grade": {str(grade): float(part.mean()) for grade, part in by_grade},
        "uncovered": [
            int(str(grade))
            for grade, part in by_grade
            if binom.cdf(part.sum(), len(part), calibration.coverage) < (1 - params.confidence) / 2
        ],
        "grades": float((high - low + 1).mean()),
    }


def uncovered_lines(possible: Mapping[str, Any], coverage: float) -> list[str]:
    """A warning for each grade that is seldom among the possible ones."""
    return [
        f"⚠ grade {grade} ({definitions.GRADE_NAMES[grade]}) is among the possible grades of "
        f"{possible['by_grade'][str(grade)]:.0%} of its photographs alone, not of {coverage:.0%}"
        for grade in possible["uncovered"]
    ]


def slices(test: pd.DataFrame) -> pd.DataFrame:
    """Accuracy by grade and by source: the columns of `Slices`."""
    return slice_metrics(
        test, ["grade", "source"], {"accuracy": lambda part: (part["grade"] == part["predicted"]).mean()}
    )


def result(
    test: pd.DataFrame, baselines: Mapping[str, pd.DataFrame], params: Evaluate, rng: np.random.Generator
) -> EvaluationResult:
    """The model's metrics with intervals over patients, with the baselines' on the same photographs."""
    rivals = {name: statistics(rows) for name, rows in baselines.items()}
    found = compare(statistics(test), rivals, len(test), params, rng, groups=test["patient"])
    return found.adding({}, with_wilson(found.interval, test, params.bootstrap.confidence))


def intervals(rows: pd.DataFrame, params: Bootstrap, rng: np.random.Generator) -> dict[str, Interval]:
    """Of every metric of photographs graded once, over resamples of patients, see `with_wilson`."""
    found = bootstrap(statistics(rows), len(rows), rng=rng, groups=rows["patient"], **params.model_dump())
    return found | with_wilson(found, rows, params.confidence)


def with_wilson(interval: Mapping[str, Interval], rows: pd.DataFrame, confidence: float) -> dict[str, Interval]:
    """The intervals of proportions, never narrower than Wilson's at either end.

    Resamples of 7 hits in 7 are all 7 hits in 7.
    """
    found = {}
    for name, (hits, trials) in proportions(rows).items():
        if name in interval and trials:
            own, least = interval[name], wilson(hits, trials, confidence)
            found[name] = Interval(min(own.low, least.low), max(own.high, least.high))
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
    """The columns of `Reliability`, of the likeliest grade, which calibration does not change."""
    probabilities = rows[definitions.probability_columns()].to_numpy(np.float64)
    right = probabilities.argmax(axis=1) == rows["grade"]
    return reliability((rows["raw_confidence"], right), (probabilities.max(axis=1), right))
