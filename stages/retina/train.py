"""
Train the grader: focal loss with class weights, weighted sampling, or both, over photographs or frozen features.

    dvc repro train@retina
"""

import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from winnow.domains.retina import definitions
from winnow.domains.retina.model import familiarity
from winnow.domains.retina.model.calibration import Calibration, calibrate, save
from winnow.domains.retina.model.grading import BEFORE_REFIT, before_refit, grade_collection
from winnow.domains.retina.model.network import Grader
from winnow.domains.retina.model.training import VALIDATION_BATCH, GraderTask
from winnow.domains.retina.params import Common, Train
from winnow.domains.retina.rules.labels import patient_digest
from winnow.domains.retina.rules.quality import for_new_photographs
from winnow.domains.retina.tables import ClassWeights, Labels, Photos, Preparation, QualityLimits, Seen, Splits, Weights
from winnow.images.store import read_images
from winnow.learn.checkpoints import WEIGHTS
from winnow.learn.devices import torch_device
from winnow.learn.stage import train_model
from winnow.learn.trained import load_trained
from winnow.pipeline.stage import Stage, run_stage
from winnow.pipeline.tables import only_row

BOTH = (
    "⚠ use_class_weights and use_weighted_sampling are both on: each alone balances the grades, so together\n"
    "  rare grades count by the square of their rarity, and the model may overfit their few photographs.\n"
    "  Start with class weights alone; compare with `winnow preset retina both`, watch the F1 gap of 3 and 4."
)


def join(labels: pd.DataFrame, splits: pd.DataFrame, weights: pd.DataFrame) -> pd.DataFrame:
    """image_id, grade, patient, split and weight (NaN outside the training split) of photographs, by image_id."""
    rows = labels[["image_id", "grade", "patient"]].merge(
        splits[["image_id", "split"]], on="image_id", validate="one_to_one"
    )
    rows = rows.merge(weights, on="image_id", how="left", validate="one_to_one")
    return rows.sort_values("image_id", ignore_index=True)


def seen_photographs(photographs: pd.DataFrame, photos: pd.DataFrame) -> pd.DataFrame:
    """The columns of `Seen`: of the photographs that training and validation use, by hash."""
    used = photographs.loc[photographs["split"] != "test", ["image_id", "grade", "split", "patient"]]
    used = used.merge(photos.drop(columns=["grade", "patient"]), on="image_id", validate="one_to_one")
    alone = used["patient"].isin(photos["image_id"])  # a patient whom nothing names but the photograph
    used["patient"] = used["patient"].mask(alone).map(patient_digest, na_action="ignore").astype("str")
    columns = list(Seen.to_schema().columns)
    return used.sort_values(["perceptual_hash", "image_id"]).drop_duplicates("perceptual_hash")[columns]


def calibrate_model(task: GraderTask, folder: Path) -> Calibration:
    """What validation says of the model in `folder`, as it was while the validation photographs were new to it."""
    model = before_refit(load_trained(Grader, "retina", task.device), folder)
    val = np.flatnonzero(task.photographs["split"] == "val")
    raw = grade_collection(model, task.images, val, batch_size=VALIDATION_BATCH)
    grades = task.photographs["grade"].to_numpy(np.int64)[val]
    return calibrate(raw, grades, task.params.refer_sensitivity, task.params.coverage)


def know_photographs(task: GraderTask, folder: Path) -> familiarity.Familiarity:
    """What the training photographs are like to the model in `folder`."""
    model = before_refit(load_trained(Grader, "retina", task.device), folder)
    train, val = (np.flatnonzero(task.photographs["split"] == split) for split in ("train", "val"))
    grades = task.photographs["grade"].to_numpy(np.int64)
    return familiarity.fit(model, task.images, train, val, grades, task.params.familiar_share)


def format_sampling(classes: pd.DataFrame) -> str:
    """How often a photograph of each grade is drawn in an epoch when sampling is weighted: its balanced weight."""
    times = zip(classes["grade"].tolist(), classes["balanced"].tolist(), strict=True)
    return "weighted sampling draws each photograph of a grade this many times an epoch on average:\n" + "\n".join(
        f"  Class {grade}: {balanced:.3g}" for grade, balanced in times
    )


def main(stage: Stage[Common, Train]) -> None:
    labels = stage.read("label/labels.parquet", Labels)
    splits = stage.read("split/splits.parquet", Splits)
    weights = stage.read("weight/weights.parquet", Weights)
    classes = stage.read("weight/classes.parquet", ClassWeights)
    preparation = only_row(stage.read("ingest/preparation.parquet", Preparation))
    limits = only_row(stage.read("label/limits.parquet", QualityLimits))
    photographs = join(labels, splits, weights)
    photos = stage.read("ingest/photos.parquet", Photos)
    seen = seen_photographs(photographs, photos)
    trained_on = photos["image_id"].isin(photographs.loc[photographs["split"] == "train", "image_id"])
    if stage.params.use_class_weights and stage.params.use_weighted_sampling:
        print(BOTH, file=sys.stderr)
    if stage.params.use_weighted_sampling:
        print(format_sampling(classes), file=sys.stderr)
    task = GraderTask(
        photographs=photographs,
        images=read_images(stage.input("ingest/images.arrow")).select(photographs["image_id"]),
        class_weights=torch.tensor(classes["weight"].to_numpy(), dtype=torch.float32),
        preparation=definitions.Preparation(**preparation),
        limits=for_new_photographs(definitions.QualityLimits(**limits), photos.loc[trained_on, "sharpness"]),
        seen=seen,
        params=stage.params,
        device=torch_device(stage.runtime.device),
    )
    result = train_model(stage, task)
    folder = stage.output("model")
    if stage.params.curriculum[-1].subset == definitions.WITH_VALIDATION:
        shutil.copy(result.checkpoints / f"phase_{len(stage.params.phases) - 1}" / WEIGHTS, folder / BEFORE_REFIT)
    save(folder, calibrate_model(task, folder))
    familiarity.save(folder, know_photographs(task, folder))


if __name__ == "__main__":
    run_stage(main)
