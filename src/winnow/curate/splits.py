"""Splits that are stratified, that keep groups whole, and that depend on nothing but the rows' content and a seed.

Strata too small to split are merged first (`merge_small_strata`). Then each group goes, one after another, to the split
that is furthest behind its share, counting both the group's own strata and all rows so far: so every stratum and the
whole come within about a group's size of the shares, which drawing splits at random does not give.
"""

from collections.abc import Mapping, Sequence
from math import fsum

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from winnow.pipeline.errors import TableError

OTHER = "other"


def merge_small_strata(levels: pd.DataFrame, groups: pd.Series, min_groups: int) -> "pd.Series[str]":
    """The stratum of each row: the values of `levels` (coarse to fine) joined by `_`, small ones merged.

    A stratum is small when it has fewer than `min_groups` groups. The rule, in this order:

    1. small strata of one first-level value are merged into `<value>_other`;
    2. those that are still small are merged into `other`;
    3. an `other` that is still small joins the smallest stratum that is not; if there is none, it stays.
    """
    first = levels.iloc[:, 0].astype(str)
    stratum = first.copy()
    for name in levels.columns[1:]:
        stratum = stratum + "_" + levels[name].astype(str)
    stratum = stratum.where(~_is_small(stratum, groups, min_groups), first + "_" + OTHER)
    stratum = stratum.where(~_is_small(stratum, groups, min_groups), OTHER)
    small = _is_small(stratum, groups, min_groups)
    if small.any() and not small.all():
        sizes = _groups_in(stratum[~small], groups[~small])
        stratum = stratum.where(~small, min(sizes.index, key=lambda name: (sizes[name], name)))
    return stratum


def _groups_in(stratum: "pd.Series[str]", groups: pd.Series) -> "pd.Series[int]":
    return groups.groupby(stratum.to_numpy()).nunique()


def _is_small(stratum: "pd.Series[str]", groups: pd.Series, min_groups: int) -> "pd.Series[bool]":
    return stratum.map(_groups_in(stratum, groups)) < min_groups


def connected_groups(keys: pd.DataFrame) -> "pd.Series[str]":
    """The group of each row: rows with a value in common in any column of `keys`, directly or through other rows.

    `keys` has one column per thing that must stay together, such as patient and duplicate group. A missing value
    connects nothing; the first column must have none, since a group is named after the smallest value of the first
    column in it. Indexed like `keys`. Raises TableError when the first column has a missing value.
    """
    if keys.iloc[:, 0].isna().any():
        raise TableError(f"`{keys.columns[0]}` has a missing value", fix="give rows without one a name of their own")
    rows = np.arange(len(keys))
    codes = [pd.factorize(keys[name])[0] for name in keys.columns]
    offsets = np.cumsum([len(keys), *(int(code.max()) + 1 for code in codes)])
    present = np.concatenate([code >= 0 for code in codes])
    start = np.tile(rows, len(codes))[present]
    end = np.concatenate([code + offset for code, offset in zip(codes, offsets, strict=False)])[present]
    edges = coo_array((np.ones(len(start)), (start, end)), shape=(offsets[-1], offsets[-1]))
    _, component = connected_components(edges, directed=False)
    first = keys.iloc[:, 0].astype("str")
    return first.groupby(component[: len(keys)]).transform("min")


def split_rows(
    strata: "pd.Series[str]", groups: pd.Series, shares: Mapping[str, float], rng: np.random.Generator
) -> "pd.Series[str]":
    """The split of each row, such as train, val or test; indexed like `strata`.

    `shares` maps each split to its share of the rows (they sum to 1). No group is in two splits. The order of the
    rows does not matter: the same rows and seed give the same splits.
    """
    splits = list(shares)
    rows = pd.DataFrame({"group": groups.to_numpy(), "stratum": strata.to_numpy()})
    counts = rows.value_counts(sort=False).reset_index().sort_values(["group", "stratum"])
    chosen = _choose_splits(counts, np.array([shares[split] for split in splits]), rng)
    return groups.map(chosen.map(dict(enumerate(splits)))).astype("str").set_axis(strata.index)


def split_folds(
    strata: "pd.Series[str]", groups: pd.Series, folds: int, fold: int, rng: np.random.Generator
) -> "pd.Series[str]":
    """The split of each row in one round of cross-validation: part `fold` is test, the next one val, the others train.

    With the same seed the parts are the same for every `fold`, so over all of them each row is tested once.
    """
    parts = split_rows(strata, groups, {str(part): 1 / folds for part in range(folds)}, rng)
    split = {str(part): "train" for part in range(folds)} | {str(fold): "test", str((fold + 1) % folds): "val"}
    return parts.map(split)


def check_splits(split: "pd.Series[str]", expected: Sequence[str]) -> None:
    """Raise TableError when one of the expected splits has no row."""
    check_split_counts({name: int((split == name).sum()) for name in split.unique()}, expected)


def check_split_counts(counts: Mapping[str, int], expected: Sequence[str]) -> None:
    """Raise TableError when one of the expected splits has no row."""
    missing = [name for name in expected if not counts.get(name)]
    if missing:
        raise TableError(
            f"{sum(counts.values())} rows are too few to split: none is left for {' and '.join(missing)}",
            fix="use more data, larger shares, or fewer folds",
        )


def split_counts(strata: pd.Series, split: "pd.Series[str]") -> dict[str, dict[str, int]]:
    """Rows per stratum and split: `{"6B_low": {"train": 80, "val": 10, "test": 10}, …}`."""
    table = pd.crosstab(strata.to_numpy(), split.to_numpy())
    return {str(name): {str(key): int(count) for key, count in row.items()} for name, row in table.iterrows()}


def _choose_splits(counts: pd.DataFrame, shares: np.ndarray, rng: np.random.Generator) -> "pd.Series[int]":
    """The number of the split of each group. `counts` has one row per (group, stratum), in the column `count`."""
    groups_in_stratum = counts.groupby("stratum")["group"].transform("size")
    counts = counts.assign(stratum_groups=groups_in_stratum, code=pd.factorize(counts["stratum"], sort=True)[0])
    # A group with rows in several strata takes its turn with the rarest of them, which has the least room for error.
    turn = counts.sort_values(["group", "stratum_groups", "code"]).drop_duplicates("group")[["group", "code"]]
    turn = turn.assign(lot=rng.permutation(len(turn))).sort_values(["code", "lot"])
    parts: dict[object, list[tuple[int, int]]] = {}
    for group, code, count in zip(counts["group"], counts["code"], counts["count"], strict=True):
        parts.setdefault(group, []).append((code, count))

    split_numbers = range(len(shares))
    share_list = shares.tolist()
    behind = [[0.0] * len(shares) for _ in range(int(counts["code"].max()) + 1)]
    behind_all = [0.0] * len(shares)
    chosen: dict[object, int] = {}
    for group in turn["group"]:
        for code, count in parts[group]:
            own = behind[code]
            for split in split_numbers:
                own[split] += share_list[split] * count
                behind_all[split] += share_list[split] * count
        need = [behind_all[split] + fsum(behind[code][split] for code, _ in parts[group]) for split in split_numbers]
        best = max(split_numbers, key=need.__getitem__)
        for code, count in parts[group]:
            behind[code][best] -= count
            behind_all[best] -= count
        chosen[group] = best
    return pd.Series(chosen)
