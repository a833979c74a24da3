"""
Evaluate the grader in the test split, compare it with baselines, check for overfitting, and explain some cases.

    dvc repro evaluate@retina
"""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.domains.retina import definitions
from winnow.domains.retina.evaluation import baselines, results
from winnow.domains.retina.evaluation.alike import alike_patients, arrangements
from winnow.domains.retina.evaluation.cases import choose_cases, explain
from winnow.domains.retina.model import familiarity
from winnow.domains.retina.model.calibration import load as load_calibration
from winnow.domains.retina.model.grading import BEFORE_REFIT, before_refit, grade_collection
from winnow.domains.retina.model.network import Grader
from winnow.domains.retina.params import Common, Evaluate
from winnow.domains.retina.tables import (
    Alike,
    BaselinePredictions,
    Explained,
    Labels,
    PerClass,
    Photos,
    Predictions,
    Rocs,
    Splits,
)
from winnow.images.store import Images, read_images
from winnow.judge.files import evaluation_files
from winnow.judge.slices import Slices
from winnow.learn.devices import device_for
from winnow.learn.folder import model_folder
from winnow.learn.trained import load_trained
from winnow.measure.calibration import Reliability
from winnow.pipeline.console import say
from winnow.pipeline.stage import Stage, run_stage
from winnow.vision import backbones
from winnow.vision.features import kept_features

ALIKE = (
    "⚠ {pairs} pairs of photographs in two splits, of different patients, may show one eye: the test may be too easy\n"
    "  look at data/retina/evaluate/alike.parquet; give the patients one name where it is so"
)


def join(stage: Stage[Common, Evaluate]) -> pd.DataFrame:
    """Every labelled photograph with its label, split and measures, by image_id."""
    labels = stage.read("label/labels.parquet", Labels)[["image_id", "grade", "patient"]]
    splits = stage.read("split/splits.parquet", Splits)[["image_id", "split"]]
    photos = stage.read("ingest/photos.parquet", Photos)[["image_id", "source", "sharpness", *baselines.METADATA]]
    rows = labels.merge(splits, on="image_id", validate="one_to_one").merge(photos, on="image_id")
    return rows.sort_values("image_id", ignore_index=True)


def grade_splits(
    rows: pd.DataFrame, images: Images, model: Grader, folder: Path, batch_size: int
) -> NDArray[np.float64]:
    """Probabilities `(rows, 5)` before calibration: of test photographs by the model, of others as it was fitted."""
    values = np.zeros((len(rows), len(definitions.GRADES)))
    tested = (rows["split"] == "test").to_numpy(bool)
    for grader, mask in ((model, tested), (before_refit(model, folder), ~tested)):
        places = np.flatnonzero(mask)
        values[places] = grade_collection(grader, images, places, batch_size=batch_size)
    return values


def judge_baselines(
    rows: pd.DataFrame, images: Images, model: Grader, folder: Path, params: Evaluate, rng: np.random.Generator
) -> dict[str, pd.DataFrame]:
    """The models that a network must beat: the columns of `Judged` for the test rows."""
    refit, seed = (folder / BEFORE_REFIT).exists(), int(rng.integers(2**31))
    train = rows.loc[rows["split"] == "train", "grade"].to_numpy(np.int64)
    probabilities = {
        "majority": baselines.majority(train, len(rows)),
        "metadata": baselines.metadata_model(rows, model.decision, refit=refit, seed=seed),
    }
    if params.feature_baseline != "none":
        network = backbones.pretrained(params.feature_baseline, "imagenet")
        network.blocks.to(model.device)
        pooled = kept_features(
            "pooled",
            type(network).__module__,
            network.blocks,
            lambda batch: network.features(batch).mean(dim=(2, 3)),
            images,
        )
        features = pooled.double().numpy()
        probabilities["frozen_features"] = baselines.feature_model(features, rows, model.decision, refit=refit)
    graded = baselines.judged(probabilities, rows, model.decision, load_calibration(folder))
    of_photographs = rows[["image_id", "patient", "split", "grade"]]
    return {
        name: pd.concat([of_photographs, values], axis=1)[rows["split"] == "test"].reset_index(drop=True)
        for name, values in graded.items()
    }


def main(stage: Stage[Common, Evaluate]) -> None:
    params, rng = stage.params, stage.rng()
    folder = model_folder(stage.domain)
    rows = join(stage)
    images = read_images(stage.input("ingest/images.arrow")).select(rows["image_id"])
    model = load_trained(Grader, stage.domain, device_for(stage.runtime, params.threads))
    raw = grade_splits(rows, images, model, folder, params.batch_size)
    calibration = load_calibration(folder)
    baseline = judge_baselines(rows, images, model, folder, params, rng)
    rows = pd.concat([rows, results.grade_rows(raw, model.decision, calibration)], axis=1)
    test = rows[rows["split"] == "test"].reset_index(drop=True)
    found = results.result(test, baseline, params, rng)
    classes = results.per_class(rows, found.interval)
    files = evaluation_files(params.gate, found, embedded=stage.embedded)
    never = results.never_predicted(test)
    say(*(f"⚠ grade {grade} ({definitions.GRADE_NAMES[grade]}) is never predicted" for grade in never))
    say(*results.doubted_chances(found.model))
    possible = results.possible_grades(test, calibration, params.bootstrap, rng)
    say(*results.uncovered_lines(possible, calibration.coverage))
    tested = images.select(test["image_id"])
    distance = familiarity.load(folder).distances(before_refit(model, folder), tested)
    alike = alike_patients(arrangements(model, images), rows, params.alike_from)
    across = alike[alike["split"] != alike["split_other"]]
    if len(across):
        say(ALIKE.format(pairs=len(across)))

    stage.write("alike.parquet", alike, Alike)
    stage.write("predictions.parquet", rows[list(Predictions.to_schema().columns)], Predictions)
    named = pd.concat([each.assign(baseline=name) for name, each in baseline.items()])
    columns = list(BaselinePredictions.to_schema().columns)
    stage.write("baseline_predictions.parquet", named[columns], BaselinePredictions)
    stage.write("per_class.parquet", classes, PerClass)
    stage.write("slices.parquet", results.slices(test), Slices)
    stage.write("rocs.parquet", results.rocs(test), Rocs)
    stage.write("reliability.parquet", results.reliability_table(test), Reliability)
    stage.write("explained.parquet", explain(model, choose_cases(test, params.explained), images), Explained)
    stage.metrics(**files.metrics)
    stage.judgement(
        {
            "rows_test": len(test),
            "overfitting": results.overfitting(classes, params.overfit_gap),
            "confusion": pd.crosstab(test["grade"], test["predicted"]).to_dict("index"),
            "calibration": asdict(calibration),
            "never_predicted": never,
            "possible_grades": possible,
            "alike_patients": {"pairs": len(alike), "pairs_in_two_splits": len(across)},
            "unlike_training_share": float((distance > 1).mean()),
            "too_blurred_share": float((test["sharpness"] < model.limits.min_sharpness).mean()),
            **files.judgement,
            "sentence": "; ".join([files.judgement["sentence"], *results.never_predicted_words(never)]),
        }
    )


if __name__ == "__main__":
    run_stage(main)
