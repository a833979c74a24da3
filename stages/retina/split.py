"""
Split photographs, stratified by grade; a patient's eyes and near-duplicates stay together.

    dvc repro split@retina
"""

import numpy as np
import pandas as pd

from winnow.curate.leakage import check_no_leakage
from winnow.curate.split_names import SPLITS
from winnow.curate.splits import (
    check_splits,
    connected_groups,
    merge_small_strata,
    split_counts,
    split_folds,
    split_rows,
)
from winnow.domains.retina.params import Common, Split
from winnow.domains.retina.tables import Labels, Splits
from winnow.pipeline.stage import Stage, run_stage

KEYS = ["patient", "duplicate_group"]


def split_photographs(labels: pd.DataFrame, params: Split, rng: np.random.Generator) -> pd.DataFrame:
    """The columns of `Splits`. Raises TableError when there are too few photographs, LeakageError when splits share.

    A source's own split is kept where it has one, unless `folds` is set; the other photographs are split by the shares.
    """
    group = connected_groups(labels[KEYS])
    free = labels["official_split"].isna() | (not params.keep_official) | (params.folds > 0)
    split = labels["official_split"].where(~free)
    if free.any():
        strata = merge_small_strata(labels.loc[free, ["grade"]], group[free], params.min_stratum)
        if params.folds:
            split[free] = split_folds(strata, group[free], params.folds, params.fold, rng)
        else:
            shares = {"val": params.val_share, "test": params.test_share}
            split[free] = split_rows(strata, group[free], {"train": 1 - sum(shares.values()), **shares}, rng)
    check_splits(split, SPLITS)
    check_no_leakage(split, labels[KEYS])
    return pd.DataFrame({"image_id": labels["image_id"], "group": group, "split": split.astype("str")})


def main(stage: Stage[Common, Split]) -> None:
    labels = stage.read("label/labels.parquet", Labels)
    splits = split_photographs(labels, stage.params, stage.rng())
    stage.write("splits.parquet", splits, Splits)
    by_split = splits["split"].value_counts()
    stage.account(len(labels), **{split: int(by_split.get(split, 0)) for split in SPLITS})
    counts = split_counts(labels["grade"].astype("str"), splits["split"])
    missing = {split: [grade for grade in counts if not counts[grade].get(split)] for split in SPLITS}
    stage.metrics(
        by_grade=counts,
        patients=int(labels["patient"].nunique()),
        groups=int(splits["group"].nunique()),
        grades_missing={split: grades for split, grades in missing.items() if grades},
    )


if __name__ == "__main__":
    run_stage(main)
