"""
Split labelled articles, stratified by tier; near-duplicates stay together, and articles of one source if so chosen.

    dvc repro split@articles
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
from winnow.domains.articles.params import Common, Split
from winnow.domains.articles.tables import Labels, Splits
from winnow.pipeline.stage import Stage, run_stage


def split_articles(labels: pd.DataFrame, params: Split, rng: np.random.Generator) -> pd.DataFrame:
    """The columns of `Splits`. Raises TableError when there are too few articles, LeakageError when splits share.

    A source's own split is kept where it has one (unless `folds` is set); other articles fill the splits that it lacks,
    or follow the official split of their group. When there is no other article, the lacking splits are cut from train.
    """
    keys = labels[["duplicate_group", "source"]] if params.by_source else labels[["duplicate_group"]]
    group = connected_groups(keys)
    official = labels["official_split"]
    if params.folds or not params.keep_official:
        official = pd.Series(None, index=labels.index, dtype="str")
    official = official.fillna(official.groupby(group).transform("first"))
    free = official.isna()
    if not free.any() and set(official) < set(SPLITS):
        free = official.eq("train")
    split = official.copy()
    strata = merge_small_strata(labels[["tier"]], group, params.min_stratum)
    if params.folds:
        split = split_folds(strata, group, params.folds, params.fold, rng)
    elif free.any():
        shares = {"val": params.val_share, "test": params.test_share}
        shares = {name: 0.0 if (official == name).any() else share for name, share in shares.items()}
        split[free] = split_rows(strata[free], group[free], {"train": 1 - sum(shares.values()), **shares}, rng)
    check_splits(split, SPLITS)
    check_no_leakage(split, keys)
    return pd.DataFrame(
        {"article_id": labels["article_id"], "group": group, "stratum": strata, "split": split.astype("str")}
    )


def main(stage: Stage[Common, Split]) -> None:
    labels = stage.read("label/labels.parquet", Labels)
    splits = split_articles(labels, stage.params, stage.rng())
    stage.write("splits.parquet", splits, Splits)
    by_split = splits["split"].value_counts()
    stage.account(len(labels), **{split: int(by_split.get(split, 0)) for split in SPLITS})
    stage.metrics(by_tier=split_counts(labels["tier"], splits["split"]), groups=int(splits["group"].nunique()))


if __name__ == "__main__":
    run_stage(main)
