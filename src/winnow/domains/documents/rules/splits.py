"""Which images are for training, validation and test."""

import numpy as np
import pandas as pd

from winnow.curate.leakage import check_no_leakage
from winnow.curate.split_names import SPLITS
from winnow.curate.splits import check_splits, connected_groups, merge_small_strata, split_folds, split_rows
from winnow.domains.documents.params import Split
from winnow.pipeline.errors import TableError

KEYS = ["document", "page"]


def split_images(labels: pd.DataFrame, params: Split, rng: np.random.Generator) -> pd.DataFrame:
    """The columns of `Splits`: stratified by class, all copies and scans of a page and all pages of a document in one
    split.

    A source's own split is kept where it has one, unless `folds` is set. A document with a page of which only issues
    are known is for training: there is no score to judge by.

    Raises TableError when there are too few images, or when a source has pages without a score for validation or test;
    LeakageError when splits share.
    """
    whole = connected_groups(labels[KEYS])
    kept = params.keep_official and not params.folds
    official = labels["official_split"] if kept else pd.Series(None, labels.index, dtype="str")
    unjudged = official.isin(["val", "test"]) & labels["label"].isna()
    if unjudged.any():
        raise TableError(
            f"{int(unjudged.sum())} pages that their source has in val or test have neither score nor class",
            where=", ".join(labels.loc[unjudged, "image_id"].head(3)),
            fix="give them one, leave their split empty, or set documents.split.keep_official to false",
        )
    judged = labels["label"].notna().groupby(whole).transform("all") & official.isna()
    if official.notna().all():
        return _checked(labels, official.astype("str"))
    if not judged.any():
        raise TableError("no document has a score or a class of all its pages", fix="give pages one of them")
    group = whole[judged]
    strata = merge_small_strata(labels.loc[judged, ["label"]], group, params.min_stratum)
    if params.folds:
        split = split_folds(strata, group, params.folds, params.fold, rng)
    else:
        shares = {"val": params.val_share, "test": params.test_share}
        split = split_rows(strata, group, {"train": 1 - sum(shares.values()), **shares}, rng)
    return _checked(labels, split.reindex(labels.index).fillna(official).fillna("train"))


def _checked(labels: pd.DataFrame, split: "pd.Series[str]") -> pd.DataFrame:
    check_splits(split, SPLITS)
    check_no_leakage(split, labels[KEYS])
    return pd.DataFrame({"image_id": labels["image_id"], "document": labels["document"], "split": split.astype("str")})
