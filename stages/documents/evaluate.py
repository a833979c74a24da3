"""
Judge the assessor in the test split beside its baselines, with the retake threshold, and explain its worst errors.

    dvc repro evaluate@documents
"""

import numpy as np
import torch

from winnow.domains.documents import definitions
from winnow.domains.documents.evaluation import baselines, results
from winnow.domains.documents.evaluation.cases import explained_cases
from winnow.domains.documents.model.estimates import Estimates, Raw, estimate_rows, load_assessor
from winnow.domains.documents.model.examples import join_examples
from winnow.domains.documents.params import Common, Evaluate
from winnow.domains.documents.tables import (
    BaselinePredictions,
    Explained,
    Labels,
    Measures,
    PerIssue,
    Predictions,
    Severities,
    Splits,
    Thresholds,
)
from winnow.images.store import read_images
from winnow.judge.files import evaluation_files
from winnow.judge.slices import Slices
from winnow.learn.devices import device_for
from winnow.measure.calibration import Reliability
from winnow.pipeline.console import say
from winnow.pipeline.stage import Stage, run_stage


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
    split = examples.rows["split"].to_numpy(str)
    scores = examples.rows["score"].to_numpy(np.float64)
    labels = examples.rows["label"].to_numpy(np.int64)
    places = np.flatnonzero(split != "train")
    raw = estimate_rows(model, examples, torch.from_numpy(places), model.tta_views, params.batch_size)
    predictions = results.predictions_of(examples, places, calibration.apply(raw), calibration, model.decision)
    tested = (predictions["split"] == "test").to_numpy(bool)
    test, on_test = predictions[tested].reset_index(drop=True), split == "test"
    references = {}
    if params.compare_views != model.tta_views:
        more = estimate_rows(model, examples, examples.of_split("test"), params.compare_views, params.batch_size)
        table = results.as_table(test, calibration.apply(more), calibration.retake_below)
        references[f"views_{params.compare_views}"] = table
    allowed, measures = calibration.max_false_rejects, examples.measures.double().numpy()
    seed = int(rng.integers(2**31))
    others = {
        "constant": baselines.constant(scores, labels, split, allowed),
        "trees": baselines.trees(measures, scores, labels, split, allowed, params.tree_rounds, seed),
    }
    tables = {
        name: results.as_table(test, Estimates(*(values[on_test] for values in each.estimates)), each.retake_below)
        for name, each in others.items()
    }
    if told := definitions.collapse(test["label"].tolist(), test["true_label"].tolist()):
        say(told)
    files = evaluation_files(
        params.gate, results.result(test, tables, references, params, rng), embedded=stage.embedded
    )

    stage.write("predictions.parquet", predictions, Predictions)
    stage.write("baseline_predictions.parquet", results.baseline_table(tables), BaselinePredictions)
    known = examples.severities[on_test].double().numpy()
    stage.write("issues.parquet", results.per_issue(test, known), PerIssue)
    stage.write("slices.parquet", results.slices(test, known), Slices)
    before = results.before_calibration(Raw(*(values[tested] for values in raw)))
    stage.write("reliability.parquet", results.reliability_table(test, before.probabilities), Reliability)
    stage.write("thresholds.parquet", results.thresholds(predictions[~tested], calibration.retake_below), Thresholds)
    stage.write("explained.parquet", explained_cases(model, examples, test, params.explained), Explained)
    stage.metrics(**files.metrics)
    stage.judgement(
        {
            "rows_test": len(test),
            "documents_test": int(test["document"].nunique()),
            "sharpness": calibration.sharpness,
            "temperature": calibration.temperature,
            "threshold": calibration.retake_below,
            "max_false_rejects": allowed,
            "before_calibration": results.calibration_metrics(results.as_table(test, before, calibration.retake_below)),
            "verdicts": test["verdict"].value_counts().to_dict(),
            "baseline_settings": others["trees"].settings,
            **files.judgement,
        }
    )


if __name__ == "__main__":
    run_stage(main)
