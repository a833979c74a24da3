"""
Train, validation and test: a group is in one of them, and their targets are alike.

    dvc repro split@toy
"""

import pandas as pd

from winnow.curate.leakage import check_no_leakage
from winnow.curate.splits import check_splits, split_rows
from winnow.domains.toy.definitions import SPLITS
from winnow.domains.toy.params import Common, Split
from winnow.domains.toy.tables import Labels, Rows, Splits
from winnow.pipeline.stage import Stage, run_stage

STRATA = 4


def main(stage: Stage[Common, Split]) -> None:
    labels = stage.read("label/labels.parquet", Labels)
    groups = labels.merge(stage.read("ingest/rows.parquet", Rows)[["row_id", "group"]], on="row_id")["group"]
    val, test = stage.params.val_share, stage.params.test_share
    strata = pd.qcut(labels["target"], STRATA, labels=False, duplicates="drop").astype("str")
    split = split_rows(strata, groups, dict(zip(SPLITS, (1 - val - test, val, test), strict=True)), stage.rng())
    check_splits(split, SPLITS)
    check_no_leakage(split, groups.to_frame())
    stage.write("splits.parquet", labels[["row_id"]].assign(split=split), Splits)
    stage.account(len(labels), **{name: int((split == name).sum()) for name in SPLITS})


if __name__ == "__main__":
    run_stage(main)
