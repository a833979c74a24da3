"""
Judge the assessor in the test split beside its baselines, with the retake threshold, and explain its worst errors.

    dvc repro evaluate@documents
"""

import numpy as np
import pandas as pd
import torch

from winnow.domains.documents import definitions
from winnow.domains.documents.evaluation import baselines, results
from winnow.domains.documents.model.estimates import (
    Calibration,
    Estimates,
    Raw,
    estimate_rows,
    load_assessor,
    threshold_table,
)
from winnow.domains.documents.model.examples import Examples, join_examples
from winnow.domains.documents.model.heatmaps import explain
from winnow.domains.documents.model.network import Assessor
from winnow.domains.documents.params import Common, Evaluate
from winnow.domains.documents.tables import (
    BaselinePredictions,
    Explained,
    Labels,
    Measures,
    PerIssue,
    Predictions,
    Reliability,
    Severities,
    Splits,
    Thresholds,
)
from winnow.images.codec import encode_png, load_pixels
from winnow.images.store import read_images
from winnow.judge.gates import EvaluationResult
from winnow.judge.intervals import bootstrap, difference
from winnow.judge.report import Report, make_report
from winnow.judge.slices import Slices
from winnow.learn.devices import device_for
from winnow.pipeline.stage import Stage, run_stage

WORST_ISSUES = 3


def predictions_of(
    rows: pd.DataFrame, found: Estimates, calibration: Calibration, decision: definitions.Decision
) -> pd.DataFrame:
    """The columns of `Predictions`."""
    verdicts = [
        definitions.decide(score, severities, calibration.retake_below, decision)[0]
        for score, severities in zip(found.score, found.severities, strict=True)
    ]
    table = rows.rename(columns={"score": "true_score", "label": "true_label"}).assign(
        score=found.score,
        label=found.probabilities.argmax(axis=1),
        verdict=verdicts,
        legibility=found.legibility,
        framing=definitions.severity_score(found.severities, definitions.FRAMING),
    )
    table[definitions.probability_columns()] = found.probabilities
    table[definitions.severity_columns()] = found.severities
    return table.reset_index(drop=True)[list(Predictions.to_schema().columns)]


def baseline_table(test_ids: "pd.Series[str]", found: dict[str, Estimates]) -> pd.DataFrame:
    """The columns of `BaselinePredictions`."""
    columns = definitions.probability_columns()
    parts = [
        pd.DataFrame(each.probabilities, columns=columns).assign(
            baseline=name, image_id=test_ids.to_numpy(), score=each.score
        )
        for name, each in found.items()
    ]
    return pd.concat(parts)[["baseline", "image_id", "score", *columns]]


def explained_cases(model: Assessor, examples: Examples, test: pd.DataFrame, count: int) -> pd.DataFrame:
    """The columns of `Explained`: the test images whose score is furthest from the truth."""
    error = (test["score"] - test["true_score"]).abs()
    worst = test.loc[error.sort_values(ascending=False, kind="stable").index[:count]]
    place = {image_id: row for row, image_id in enumerate(examples.rows["image_id"])}
    cases = []
    for row in worst.to_dict("records"):
        number = place[row["image_id"]]
        pictures = explain(model, load_pixels(examples.images[number], "L"))
        cases.append(
            {
                "image_id": row["image_id"],
                "true_score": row["true_score"],
                "score": row["score"],
                "found": worst_issues(np.array([row[name] for name in definitions.severity_columns()])),
                "truth": worst_issues(examples.severities[number].double().numpy()),
                "png": encode_png(pictures.page),
                "heat": encode_png(pictures.heat),
            }
        )
    return pd.DataFrame(cases)


def worst_issues(severities: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> str:
    """The most severe issues as text."""
    known = np.nan_to_num(severities)
    order = np.argsort(-known, kind="stable")[:WORST_ISSUES]
    return ", ".join(f"{definitions.ISSUES[place]} {known[place]:.2f}" for place in order if known[place] >= 0.05)


def report(
    test: pd.DataFrame,
    truth: results.Truth,
    found: Estimates,
    others: dict[str, baselines.Baseline],
    references: dict[str, Estimates],
    thresholds: tuple[float, float],
    params: Evaluate,
    rng: np.random.Generator,
) -> Report:
    """The model's metrics with intervals over documents, with the baselines' on the same images.

    `thresholds` are those of the verdict retake and of a flag.
    """
    rows, options = len(test), params.bootstrap.model_dump()
    own = results.statistics(truth, found, *thresholds)
    plain = results.Truth(truth.scores, truth.labels)
    theirs = {
        name: results.statistics(plain, each.estimates, each.retake_below, thresholds[1])
        for name, each in others.items()
    }
    headline = params.gate.headline
    apart = {name: difference(own[headline], each[headline]) for name, each in theirs.items() if headline in each}
    findings = EvaluationResult(
        results.metrics(own, rows),
        bootstrap(own, rows, rng=rng, groups=test["document"], **options),
        baseline={name: results.metrics(each, rows) for name, each in theirs.items()},
        reference={
            name: results.metrics(results.statistics(plain, each, *thresholds), rows)
            for name, each in references.items()
        },
        difference={headline: bootstrap(apart, rows, rng=rng, groups=test["document"], **options)},
    )
    return make_report(params.gate, findings)


def main(stage: Stage[Common, Evaluate]) -> None:
    params, rng = stage.params, stage.rng()
    examples = join_examples(
        stage.read("label/labels.parquet", Labels),
        stage.read("split/splits.parquet", Splits),
        stage.read("label/severities.parquet", Severities),
        stage.read("label/measures.parquet", Measures),
        read_images(stage.input("label/images.arrow")),
    )
    model, calibration = load_assessor(device_for(stage.runtime, params.threads))
    side = examples.rows["split"].to_numpy(str)
    scores = examples.rows["score"].to_numpy(np.float64)
    labels = examples.rows["label"].to_numpy(np.int64)
    judged = torch.from_numpy(np.flatnonzero(side != "train"))
    raw = estimate_rows(model, examples, judged, model.tta_views, params.batch_size)
    found = calibration.apply(raw)
    predictions = predictions_of(examples.rows.iloc[judged.numpy()], found, calibration, model.decision)
    tested = (predictions["split"] == "test").to_numpy(bool)
    test = predictions[tested].reset_index(drop=True)

    own = Estimates(*(values[tested] for values in found))
    before = results.before_calibration(Raw(*(values[tested] for values in raw)))
    truth = results.Truth(
        scores[side == "test"],
        labels[side == "test"],
        examples.flags[side == "test"].double().numpy(),
        examples.legibility[side == "test"].double().numpy(),
    )
    references = {}
    if params.compare_views != model.tta_views:
        places = examples.side("test")
        more = estimate_rows(model, examples, places, params.compare_views, params.batch_size)
        references[f"views_{params.compare_views}"] = calibration.apply(more)
    allowed = calibration.max_false_rejects
    others = {
        "constant": baselines.constant(scores, labels, side, allowed),
        "trees": baselines.trees(
            examples.measures.double().numpy(),
            scores,
            labels,
            side,
            allowed,
            params.tree_rounds,
            int(rng.integers(2**31)),
        ),
    }
    on_test = {
        name: each._replace(estimates=Estimates(*(values[side == "test"] for values in each.estimates)))
        for name, each in others.items()
    }
    thresholds = calibration.retake_below, model.decision.flag_from
    written = report(test, truth, own, on_test, references, thresholds, params, rng)

    chosen_on = predictions[~tested]
    stage.write("predictions.parquet", predictions, Predictions)
    table = baseline_table(test["image_id"], {name: each.estimates for name, each in on_test.items()})
    stage.write("baseline_predictions.parquet", table, BaselinePredictions)
    known = examples.severities[side == "test"].double().numpy()
    stage.write("issues.parquet", results.per_issue(truth, known, own, model.decision.flag_from), PerIssue)
    stage.write("slices.parquet", results.slices(test, known, model.decision.flag_from), Slices)
    reliability = results.reliability_table(truth.labels, before.probabilities, own.probabilities)
    stage.write("reliability.parquet", reliability, Reliability)
    steps = threshold_table(chosen_on["score"].to_numpy(np.float64), chosen_on["true_score"].to_numpy(np.float64))
    tried = pd.DataFrame(steps, columns=["threshold", "false_rejects", "found"])
    tried["chosen"] = (tried["threshold"] - calibration.retake_below).abs() < 1e-6
    stage.write("thresholds.parquet", tried, Thresholds)
    stage.write("explained.parquet", explained_cases(model, examples, test, params.explained), Explained)
    stage.metrics(**written.metrics)
    stage.judgement(
        {
            "rows_test": len(test),
            "documents_test": int(test["document"].nunique()),
            "sharpness": calibration.sharpness,
            "temperature": calibration.temperature,
            "threshold": calibration.retake_below,
            "max_false_rejects": allowed,
            "before_calibration": results.calibration_metrics(truth, before),
            "verdicts": test["verdict"].value_counts().to_dict(),
            "baseline_settings": others["trees"].settings,
            **written.judgement,
        }
    )


if __name__ == "__main__":
    run_stage(main)
