"""
Split routes into train, validation and test, stratified by grade and quality, with no hold set in two splits.

    dvc repro split@climb
"""

import numpy as np
import pandas as pd

from winnow.curate.duplicates import sequence_digests
from winnow.curate.leakage import check_no_leakage
from winnow.curate.split_names import SPLITS
from winnow.curate.splits import check_splits, merge_small_strata, split_counts, split_folds, split_rows
from winnow.domains.climb import definitions
from winnow.domains.climb.params import Common, Split
from winnow.domains.climb.tables import Labels, Splits, Tokens
from winnow.pipeline.stage import Stage, run_stage


def split_routes(labels: pd.DataFrame, params: Split, rng: np.random.Generator) -> pd.DataFrame:
    """The columns of `Splits`. A hold set stays whole whatever its angles; the subsets inherit this one assignment.

    Raises TableError when there are too few routes for three splits.
    """
    groups = labels["hold_set"]
    strata = merge_small_strata(labels[["grade", "quality"]], groups, params.min_stratum)
    if params.folds:
        split = split_folds(strata, groups, params.folds, params.fold, rng)
    else:
        shares = {"train": 1 - params.val_share - params.test_share, "val": params.val_share, "test": params.test_share}
        split = split_rows(strata, groups, shares, rng)
    check_splits(split, SPLITS)
    return pd.DataFrame({"route_id": labels["route_id"], "stratum": strata, "split": split})


def check_no_shared_routes(labels: pd.DataFrame, tokens: pd.DataFrame, splits: pd.DataFrame) -> None:
    """Raise LeakageError when a hold set, by ingest's name or by its tokens, is in two splits."""
    content = labels["route_id"].map(sequence_digests(tokens["route_id"], tokens["position"], tokens["token"]))
    split = labels["route_id"].map(splits.set_index("route_id")["split"])
    keys = pd.DataFrame({"hold_set": labels["hold_set"], "tokens": labels["board"] + "-" + content})
    check_no_leakage(split, keys)


def main(stage: Stage[Common, Split]) -> None:
    labels = stage.read("label/labels.parquet", Labels)
    tokens = stage.read("label/tokens.parquet", Tokens)
    splits = split_routes(labels, stage.params, stage.rng())
    check_no_shared_routes(labels, tokens, splits)
    stage.write("splits.parquet", splits, Splits)
    by_split = splits["split"].value_counts()
    stage.account(len(labels), **{split: int(by_split.get(split, 0)) for split in SPLITS})
    whole = labels["grade"] + "_" + labels["quality"]
    stage.metrics(
        by_stratum=split_counts(splits["stratum"], splits["split"]),
        strata_merged=sorted(set(whole) - set(splits["stratum"])),
        subsets={
            name: splits.loc[labels[f"in_{name}"], "split"].value_counts().to_dict() for name in definitions.SUBSETS
        },
    )


if __name__ == "__main__":
    run_stage(main)
