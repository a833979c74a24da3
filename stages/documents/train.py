"""
Train the assessor on patches, views and measures of pages: score, class and severities at once.

    dvc repro train@documents
"""

from collections.abc import Iterable

import pandas as pd
import torch

from winnow.domains.documents import definitions
from winnow.domains.documents.model.examples import Examples, join_examples
from winnow.domains.documents.model.training import AssessorTask
from winnow.domains.documents.params import Common, Train
from winnow.domains.documents.tables import (
    ClassWeights,
    Labels,
    Measures,
    Preparation,
    Repetition,
    Severities,
    Splits,
)
from winnow.images.store import read_images
from winnow.learn.devices import torch_device
from winnow.learn.stage import train_model
from winnow.pipeline.stage import Stage, run_stage
from winnow.pipeline.tables import only_row, parquet_batches

PAGES_READ = 4096
"""Rows of the pages that are read at a time: the maps of their print take 6 kilobytes each."""


def seen_pages(labels: pd.DataFrame, splits: pd.DataFrame, pieces: Iterable[pd.DataFrame]) -> list[tuple[bytes, bytes]]:
    """Perceptual hash and map of the print of the pages whose copies, or which themselves, are used in training or
    validation, sorted, each once; `pieces` are rows of `Pages`.
    """
    used = labels.loc[labels["image_id"].isin(splits.loc[splits["split"] != "test", "image_id"]), "image_id"]
    pages_of_copies = used.str.rpartition(definitions.COPY)[0]
    found: set[tuple[bytes, bytes]] = set()
    for pages in pieces:
        clean = pages["source"] != definitions.LABELLED
        chosen = pages[pages["image_id"].isin(used) | (clean & pages["image_id"].isin(pages_of_copies))]
        hashes, maps = (map(bytes.fromhex, chosen[name]) for name in ("perceptual_hash", "print_map"))
        found.update(zip(hashes, maps, strict=True))
    return sorted(found)


def read_examples(stage: Stage[Common, Train]) -> tuple[Examples, list[tuple[bytes, bytes]]]:
    """The labelled images, and the pages that those for training and validation show."""
    labels = stage.read("label/labels.parquet", Labels)
    splits = stage.read("split/splits.parquet", Splits)
    examples = join_examples(
        labels,
        splits,
        stage.read("label/severities.parquet", Severities),
        stage.read("label/measures.parquet", Measures),
        read_images(stage.input("label/images.arrow")),
    )
    columns = ["image_id", "source", "perceptual_hash", "print_map"]
    pieces = parquet_batches(stage.input("ingest/pages.parquet"), rows=PAGES_READ, columns=columns)
    return examples, seen_pages(labels, splits, (piece.to_pandas() for piece in pieces))


def main(stage: Stage[Common, Train]) -> None:
    examples, seen = read_examples(stage)
    classes = stage.read("weight/classes.parquet", ClassWeights)
    repetition = only_row(stage.read("label/repetition.parquet", Repetition))
    task = AssessorTask(
        examples=examples,
        class_weights=torch.tensor(classes["weight"].to_numpy(), dtype=torch.float32),
        preparation=definitions.Preparation(**only_row(stage.read("ingest/preparation.parquet", Preparation))),
        flag_from=stage.common.flag_from,
        seen=seen,
        max_hash_distance=repetition["max_hash_distance"],
        params=stage.params,
        device=torch_device(stage.runtime.device),
    )
    train_model(stage, task)


if __name__ == "__main__":
    run_stage(main)
