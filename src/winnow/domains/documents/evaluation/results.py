"""What evaluate finds of the assessor: its metrics beside the baselines', and the tables that plot draws."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.domains.documents import definitions
from winnow.domains.documents.metrics import statistics
from winnow.domains.documents.model.estimates import Calibration, Estimates, Raw, threshold_table
from winnow.domains.documents.model.examples import Examples
from winnow.domains.documents.params import Evaluate
from winnow.domains.documents.rules.measures import PRINTED_SHARE, TEXT_HEIGHT
from winnow.domains.documents.tables import BaselinePredictions, Predictions
from winnow.judge.intervals import values
from winnow.judge.result import EvaluationResult, compare
from winnow.judge.slices import slice_metrics
from winnow.measure import classification as measure
from winnow.measure.calibration import reliability
from winnow.measure.regression import mae

Floats = NDArray[np.float64]
TRUTH = ["image_id", "document", "true_score", "true_label"]


def predictions_of(
    examples: Examples,
    places: NDArray[np.int64],
    found: Estimates,
    calibration: Calibration,
    decision: definitions.Decision,
) -> pd.DataFrame:
    """The columns of `Predictions`, of the examples at `places`."""
    columns = [examples.measure_names.index(name) for name in (TEXT_HEIGHT, PRINTED_SHARE)]
    facts = examples.measures[places][:, columns].double().numpy()
    verdicts = [
        definitions.decide(
            score, severities, calibration.retake_below, decision, text_height=height, printed_share=printed
        )[0]
        for score, severities, (height, printed) in zip(found.score, found.severities, facts, strict=True)
    ]
    table = (
        examples.rows.iloc[places]
        .rename(columns={"score": "true_score", "label": "true_label"})
        .assign(
            score=found.score,
            label=definitions.class_of(found.score),
            verdict=verdicts,
            rejected=found.score < calibration.retake_below,
            true_legibility=examples.legibility[places].double().numpy(),
            flag_from=decision.flag_from,
            legibility=found.legibility,
            true_readability=examples.readability[places].double().numpy(),
            readability=found.readability,
            framing=np.maximum(definitions.severity_score(found.severities, definitions.FRAMING), found.score),
        )
    )
    table[definitions.probability_columns()] = found.probabilities
    table[definitions.severity_columns()] = found.severities
    table[definitions.flag_columns()] = examples.flags[places].double().numpy()
    return table.reset_index(drop=True)[list(Predictions.to_schema().columns)]


def as_table(test: pd.DataFrame, found: Estimates, retake_below: float) -> pd.DataFrame:
    """Score and class of another judge of the rows `test`, with the columns that their metrics need."""
    table = test[TRUTH].assign(score=found.score, rejected=found.score < retake_below)
    table[definitions.probability_columns()] = found.probabilities
    return table


def baseline_table(found: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The columns of `BaselinePredictions`, of each baseline's `as_table`."""
    parts = [table.assign(baseline=name) for name, table in found.items()]
    return pd.concat(parts)[list(BaselinePredictions.to_schema().columns)]


def result(
    test: pd.DataFrame,
    baselines: Mapping[str, pd.DataFrame],
    references: Mapping[str, pd.DataFrame],
    params: Evaluate,
    rng: np.random.Generator,
) -> EvaluationResult:
    """The model's metrics with intervals over documents, with the baselines' on the same images."""
    rivals = {name: statistics(table) for name, table in baselines.items()}
    found = compare(statistics(test), rivals, len(test), params, rng, groups=test["document"])
    return replace(found, reference={name: values(statistics(table), len(test)) for name, table in references.items()})


def slices(test: pd.DataFrame, severities: Floats) -> pd.DataFrame:
    """MAE by class, source and worst flagged issue (`none` without any): the columns of `Slices`.

    `test` has the columns of `Predictions`; `severities` `(rows, 10)` are the true ones, and images of which one is
    unknown (NaN) are in no slice by issue.
    """
    worst = np.array(definitions.ISSUES)[np.nan_to_num(severities).argmax(axis=1)]
    issue = pd.Series(np.where(severities.max(axis=1) >= test["flag_from"], worst, "none"), test.index)
    named = test.assign(
        quality_class=pd.Categorical(np.array(definitions.CLASSES)[test["true_label"]], list(definitions.CLASSES)),
        source=test["image_id"].str.partition("/")[0],
        worst_issue=issue.where(np.isfinite(severities.sum(axis=1))),
    )
    by = ["quality_class", "source", "worst_issue"]
    return slice_metrics(named, by, {"mae": lambda part: mae(part["score"], part["true_score"])})


def before_calibration(raw: Raw) -> Estimates:
    """What the heads say by themselves: the mean of their scores, and probabilities as they are."""
    return Estimates(
        raw.scores.mean(axis=1), raw.legibility.mean(axis=1), raw.probabilities, raw.severities, raw.readability
    )


def calibration_metrics(table: pd.DataFrame) -> dict[str, float]:
    """The metrics that calibration is for, of `as_table`."""
    found = statistics(table)
    return values({name: found[name] for name in ("ece", "score_ece", "mae")}, len(table))


def per_issue(test: pd.DataFrame, severities: Floats) -> pd.DataFrame:
    """The columns of `PerIssue`, of the rows `test` of `Predictions`; `severities` are the true ones, or NaN."""
    rows = []
    for place, issue in enumerate(definitions.ISSUES):
        true, severity = test[f"flag_{issue}"].to_numpy(), test[f"severity_{issue}"].to_numpy()
        known = ~np.isnan(true)
        flagged, predicted = true[known] == 1, severity[known]
        said = predicted >= test["flag_from"].to_numpy()[known]
        error = np.abs(severities[:, place] - severity)
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


def thresholds(chosen_on: pd.DataFrame, chosen: float) -> pd.DataFrame:
    """The columns of `Thresholds`, tried on the validation rows of `Predictions`; `chosen` was taken."""
    scores, true = (chosen_on[name].to_numpy(np.float64) for name in ("score", "true_score"))
    table = pd.DataFrame(threshold_table(scores, true), columns=["threshold", "false_rejects", "found"])
    return table.assign(chosen=(table["threshold"] - chosen).abs() < 1e-6)


def reliability_table(test: pd.DataFrame, raw: Floats) -> pd.DataFrame:
    """The columns of `Reliability`, of the rows `test` and their class probabilities `(rows, 5)` before calibration."""
    scaled, labels = test[definitions.probability_columns()].to_numpy(np.float64), test["true_label"].to_numpy()
    predicted, rows = test["label"].to_numpy(np.int64), np.arange(len(test))
    before, after = (raw.max(axis=1), raw.argmax(axis=1) == labels), (scaled[rows, predicted], predicted == labels)
    return reliability(before, after)
