"""
Keep pages that can be read, that are not blank, and that no earlier page repeats; warn of too few with labels.

    dvc repro filter@documents
"""

import pandas as pd

from winnow.domains.documents import definitions
from winnow.domains.documents.params import Common, Filter
from winnow.domains.documents.rules.classes import class_counts, warnings
from winnow.domains.documents.rules.pages import keep_pages
from winnow.domains.documents.tables import Dropped, Pages, Repetition
from winnow.images.store import read_images
from winnow.pipeline.console import say
from winnow.pipeline.stage import Stage, run_stage

PIECE = 4096
"""Pages that are written at a time."""


def warnings_of(pages: pd.DataFrame, params: Filter) -> list[str]:
    """What is wrong with the labelled pages that stay; clean pages get their classes later, and `weight` warns."""
    labelled = pages[pages["score"].notna() | pages["label"].notna()]
    if labelled.empty:
        return []
    by_score = pd.Series(definitions.class_of(labelled["score"]), index=labelled.index)
    labels = labelled["label"].fillna(by_score).astype("int64")
    return warnings(class_counts(labels), len(labels), params)


def main(stage: Stage[Common, Filter]) -> None:
    pages = stage.read("ingest/pages.parquet", Pages)
    images = read_images(stage.input("ingest/images.arrow")).select(pages["image_id"])
    kept, dropped, counts = keep_pages(pages, images, stage.params)
    with stage.writer("pages.parquet", Pages) as write:  # the maps of their print are most of the memory
        for start in range(0, len(kept), PIECE):
            write(kept.iloc[start : start + PIECE])
    stage.write("dropped.parquet", dropped, Dropped)
    stage.write("repetition.parquet", pd.DataFrame([{"max_hash_distance": stage.params.max_hash_distance}]), Repetition)
    stage.account(len(pages), kept=len(kept), dropped=len(dropped))
    found = warnings_of(kept, stage.params)
    say(*found)
    stage.metrics(dropped=counts, warnings=found)


if __name__ == "__main__":
    run_stage(main)
