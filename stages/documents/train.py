"""
Train the assessor on patches, views and measures of pages: score, class and severities at once.

    dvc repro train@documents
"""

import pandas as pd
import torch

from winnow.domains.documents import definitions
from winnow.domains.documents.model.examples import join_examples
from winnow.domains.documents.model.training import AssessorTask
from winnow.domains.documents.params import Common, Train
from winnow.domains.documents.tables import (
    ClassWeights,
    Labels,
    Measures,
    Pages,
    Preparation,
    Repetition,
    Severities,
    Splits,
)
from winnow.images.store import read_images
from winnow.learn.devices import torch_device
from winnow.learn.stage import train_model
from winnow.pipeline.stage import Stage, run_stage
from winnow.pipeline.tables import only_row


def seen_pages(labels: pd.DataFrame, splits: pd.DataFrame, pages: pd.DataFrame, max_distance: int) -> pd.DataFrame:
    """The columns of `Seen`: the pages whose copies, or which themselves, are used in training or validation."""
    used = labels.loc[labels["image_id"].isin(splits.loc[splits["split"] != "test", "image_id"]), "image_id"]
    pages_of_copies, clean = used.str.rpartition(definitions.COPY)[0], pages["source"] != definitions.LABELLED
    chosen = pages["image_id"].isin(used) | (clean & pages["image_id"].isin(pages_of_copies))
    columns = ["perceptual_hash", "print_map"]
    hashes = pages.loc[chosen, columns].drop_duplicates()
    return hashes.sort_values(columns, ignore_index=True).assign(max_hash_distance=max_distance)


def main(stage: Stage[Common, Train]) -> None:
    labels = stage.read("label/labels.parquet", Labels)
    classes = stage.read("weight/classes.parquet", ClassWeights)
    splits = stage.read("split/splits.parquet", Splits)
    repetition = only_row(stage.read("label/repetition.parquet", Repetition))
    seen = seen_pages(labels, splits, stage.read("ingest/pages.parquet", Pages), repetition["max_hash_distance"])
    examples = join_examples(
        labels,
        splits,
        stage.read("label/severities.parquet", Severities),
        stage.read("label/measures.parquet", Measures),
        read_images(stage.input("label/images.arrow")),
    )
    task = AssessorTask(
        examples=examples,
        class_weights=torch.tensor(classes["weight"].to_numpy(), dtype=torch.float32),
        preparation=definitions.Preparation(**only_row(stage.read("ingest/preparation.parquet", Preparation))),
        flag_from=stage.common.flag_from,
        seen=seen,
        params=stage.params,
        device=torch_device(stage.runtime.device),
    )
    train_model(stage, task)


if __name__ == "__main__":
    run_stage(main)
