"""
Train the assessor on patches, views and measures of pages: score, class and severities at once.

    dvc repro train@documents
"""

from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from winnow.domains.documents import definitions
from winnow.domains.documents.model.assessing import calibrate, estimate, page_inputs, save_calibration
from winnow.domains.documents.model.examples import join_examples
from winnow.domains.documents.model.network import Assessor
from winnow.domains.documents.model.training import VALIDATION_BATCH, Training
from winnow.domains.documents.params import Common, Train
from winnow.domains.documents.tables import ClassWeights, Labels, Measures, Preparation, Severities, Splits
from winnow.images.store import read_images
from winnow.learn.devices import torch_device
from winnow.learn.stage import train_model
from winnow.learn.task import Task
from winnow.pipeline.stage import Stage, run_stage


def only_row(table: pd.DataFrame) -> dict[str, Any]:
    """The values of a table that has one row, by column."""
    (row,) = table.to_dict("records")
    return {str(column): value for column, value in row.items()}


def carry(training: Training, max_false_rejects: float, folder: Path) -> None:
    """Calibrate the trained model on the validation side, and write what its use needs beside it."""
    model = Assessor.from_pretrained(folder).to(training.device)
    examples = training.examples
    val = examples.side("val")
    images = examples.images.take(val.tolist())
    inputs = [page_inputs(model, images, training.device, view) for view in range(model.test_views)]
    raw = estimate(model, inputs, examples.measures[val], VALIDATION_BATCH)
    rows = examples.rows.iloc[val.numpy()]
    scores, labels = rows["score"].to_numpy("float64"), rows["label"].to_numpy("int64")
    save_calibration(folder, calibrate(raw, scores, labels, max_false_rejects))


def main(stage: Stage[Common, Train]) -> None:
    labels = stage.read("label/labels.parquet", Labels)
    classes = stage.read("weight/classes.parquet", ClassWeights)
    examples = join_examples(
        labels,
        stage.read("split/splits.parquet", Splits),
        stage.read("label/severities.parquet", Severities),
        stage.read("label/measures.parquet", Measures),
        read_images(stage.input("label/images.arrow")),
    )
    training = Training(
        examples=examples,
        class_weights=torch.tensor(classes["weight"].to_numpy(), dtype=torch.float32),
        preparation=definitions.Preparation(**only_row(stage.read("ingest/preparation.parquet", Preparation))),
        flag_from=stage.common.flag_from,
        params=stage.params,
        device=torch_device(stage.runtime.device),
    )
    task = Task(
        build=training.build,
        loaders=training.loaders,
        loss=training.loss,
        predict=training.predict,
        metrics=training.metrics,
        constants=training.constants,
        groups=training.groups,
        carry=partial(carry, training, stage.params.retake.max_false_rejects),
    )
    train_model(stage, task)


if __name__ == "__main__":
    run_stage(main)
