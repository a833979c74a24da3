"""Train the grader: focal loss with class weights, weighted sampling, or both, over photographs or frozen features."""

import sys

import pandas as pd
import torch

from winnow.domains.retina.model.training import Training
from winnow.domains.retina.params import Common, Train
from winnow.domains.retina.tables import ClassWeights, Labels, Pixels, Splits, Weights
from winnow.learn.stage import train_model
from winnow.learn.task import Task
from winnow.pipeline.stage import Stage, run_stage

BOTH = (
    "⚠ use_class_weights and use_weighted_sampling are both on: each alone makes the grades count alike, so together\n"
    "  rare grades count by the square of their rarity, and the model may learn its few photographs by heart.\n"
    "  Start with class weights alone; compare with `winnow preset retina both`, watch the F1 gap of 3 and 4."
)


def join(labels: pd.DataFrame, splits: pd.DataFrame, weights: pd.DataFrame, pixels: pd.DataFrame) -> pd.DataFrame:
    """image_id, grade, split, weight (NaN off the training side) and png of every labelled photograph, by image_id."""
    rows = labels[["image_id", "grade"]].merge(splits[["image_id", "split"]], on="image_id", validate="one_to_one")
    rows = rows.merge(weights, on="image_id", how="left", validate="one_to_one")
    return rows.merge(pixels, on="image_id", how="left", validate="one_to_one").sort_values(
        "image_id", ignore_index=True
    )


def tell_sampling(classes: pd.DataFrame) -> str:
    """How often a photograph of each grade is drawn in an epoch when sampling is weighted: its balanced weight."""
    times = zip(classes["grade"].tolist(), classes["balanced"].tolist(), strict=True)
    return "weighted sampling draws a photograph of each grade so many times an epoch, in the mean:\n" + "\n".join(
        f"  Class {grade}: {balanced:.3g}" for grade, balanced in times
    )


def main(stage: Stage[Common, Train]) -> None:
    labels = stage.read("label/labels.parquet", Labels)
    splits = stage.read("split/splits.parquet", Splits)
    weights = stage.read("weight/weights.parquet", Weights)
    classes = stage.read("weight/classes.parquet", ClassWeights)
    photographs = join(labels, splits, weights, stage.read("ingest/pixels.parquet", Pixels))
    if stage.params.use_class_weights and stage.params.use_weighted_sampling:
        print(BOTH, file=sys.stderr)
    if stage.params.use_weighted_sampling:
        print(tell_sampling(classes), file=sys.stderr)
    class_weights = torch.tensor(classes["weight"].to_numpy(), dtype=torch.float32)
    training = Training(photographs, class_weights, stage.common.image_size, stage.params)
    task = Task(
        build=training.build,
        loaders=training.loaders,
        loss=training.loss,
        predict=training.predict,
        metrics=training.metrics,
        constants=training.constants,
        groups=training.groups,
        summarise=training.summarise,
    )
    train_model(stage, task)


if __name__ == "__main__":
    run_stage(main)
