"""Splits: groups whole, shares near, everything once, and nothing but content and seed decides."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from winnow.curate.splits import (
    check_splits,
    connected_groups,
    merge_small_strata,
    split_counts,
    split_folds,
    split_rows,
)
from winnow.pipeline.errors import TableError

SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Rows with a stratum of two levels and a group."""
    number, groups, seed = draw(st.integers(1, 120)), draw(st.integers(1, 150)), draw(st.integers(0, 2**32))
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "coarse": rng.choice(["a", "b"], number, p=[0.9, 0.1]),
            "fine": rng.choice(["x", "y", "z"], number),
            "group": rng.integers(groups, size=number).astype(str),
        }
    )


def split(table: pd.DataFrame, seed: int = 0) -> "pd.Series[str]":
    return split_rows(table["coarse"] + table["fine"], table["group"], SHARES, np.random.default_rng(seed))


@given(tables(), st.integers(0, 5))
def test_every_row_has_a_side_and_every_group_one(table: pd.DataFrame, seed: int) -> None:
    side = split(table, seed)
    assert side.index.equals(table.index)
    assert set(side) <= set(SHARES)
    assert side.groupby(table["group"]).nunique().eq(1).all()


@given(tables(), st.integers(0, 5))
def test_the_order_of_rows_does_not_matter(table: pd.DataFrame, seed: int) -> None:
    shuffled = table.sample(frac=1, random_state=seed)
    pd.testing.assert_series_equal(split(table), split(shuffled).sort_index())


@given(tables())
def test_the_whole_comes_near_the_shares(table: pd.DataFrame) -> None:
    side = split(table)
    largest = table["group"].value_counts().max()
    for name, share in SHARES.items():
        assert abs((side == name).sum() - share * len(table)) <= 2 * largest + 2


@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(20, 200), min_size=1), st.integers(0, 100))
def test_each_stratum_of_single_rows_comes_within_two_rows_of_the_shares(sizes: dict[str, int], seed: int) -> None:
    strata = pd.Series([name for name, size in sizes.items() for _ in range(size)])
    groups = pd.Series(np.arange(len(strata)))
    side = split_rows(strata, groups, SHARES, np.random.default_rng(seed))
    for name, counts in split_counts(strata, side).items():
        for key, share in SHARES.items():
            assert abs(counts.get(key, 0) - share * sizes[name]) <= 2


def test_another_seed_gives_another_split() -> None:
    table = pd.DataFrame({"coarse": "a", "fine": "x", "group": np.arange(100).astype(str)})
    assert not split(table, 0).equals(split(table, 1))


@given(tables(), st.integers(3, 6))
def test_over_all_folds_each_row_is_tested_once_and_validated_once(table: pd.DataFrame, folds: int) -> None:
    strata = table["coarse"]
    rounds = [
        split_folds(strata, table["group"], folds, fold, np.random.default_rng(3)).to_numpy() for fold in range(folds)
    ]
    assert ((np.array(rounds) == "test").sum(axis=0) == 1).all()
    assert ((np.array(rounds) == "val").sum(axis=0) == 1).all()
    for side in rounds:
        assert pd.Series(side).groupby(table["group"]).nunique().eq(1).all()


@given(tables(), st.integers(1, 30))
def test_after_merging_no_stratum_is_small_unless_it_is_the_only_one(table: pd.DataFrame, least: int) -> None:
    strata = merge_small_strata(table[["coarse", "fine"]], table["group"], least)
    sizes = table["group"].groupby(strata).nunique()
    assert (sizes >= least).all() or len(sizes) == 1
    whole = table["coarse"] + "_" + table["fine"]
    large = whole.map(table["group"].groupby(whole).nunique()) >= least
    absorbing = strata[~large].unique()
    assert (strata[large] == whole[large]).all(), absorbing


def merged(rows: dict[tuple[str, str], int], least: int) -> dict[tuple[str, str], str]:
    """What `{(coarse, fine): rows}` is merged into."""
    table = pd.DataFrame([key for key, count in rows.items() for _ in range(count)], columns=["grade", "bin"])
    found = merge_small_strata(table, pd.Series(np.arange(len(table))), least)
    return dict(zip(table.itertuples(index=False, name=None), found, strict=True))


def test_small_strata_of_one_level_are_merged_first() -> None:
    found = merged({("6A", "low"): 3, ("6A", "high"): 3, ("6B", "low"): 9}, 5)
    assert found == {("6A", "low"): "6A_other", ("6A", "high"): "6A_other", ("6B", "low"): "6B_low"}


def test_what_is_still_small_is_merged_over_levels() -> None:
    found = merged({("8A", "low"): 3, ("8B", "high"): 3, ("6B", "low"): 9}, 5)
    assert found == {("8A", "low"): "other", ("8B", "high"): "other", ("6B", "low"): "6B_low"}


def test_a_stratum_of_one_joins_the_smallest_large_one() -> None:
    found = merged({("8B", "high"): 1, ("6A", "low"): 7, ("6B", "low"): 9}, 5)
    assert found[("8B", "high")] == "6A_low"


def test_too_few_rows_for_three_sides_are_refused() -> None:
    with pytest.raises(TableError, match=r"2 rows are too few to split: none is left for val and test"):
        check_splits(pd.Series(["train", "train"]), ("train", "val", "test"))


@pytest.mark.parametrize("fold", range(4))
def test_the_part_after_the_test_part_is_for_validation(fold: int) -> None:
    strata, groups = pd.Series(["a"] * 40), pd.Series(range(40))
    sides = [split_folds(strata, groups, 4, each, np.random.default_rng(0)) for each in (fold, (fold + 1) % 4)]
    assert ((sides[0] == "val") == (sides[1] == "test")).all()


KEYS = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("uvwxyz")), min_size=1, max_size=30)


@given(KEYS)
def test_connected_groups_join_exactly_what_hangs_together(pairs: list[tuple[str, str]]) -> None:
    keys = pd.DataFrame(pairs, columns=["patient", "copy"])
    group = connected_groups(keys)
    for name in keys.columns:
        assert keys.assign(group=group).groupby(name)["group"].nunique().eq(1).all()
    reached = {0}  # by hand: everything that the first row hangs together with
    while (
        more := {
            j for i in reached for j in range(len(pairs)) if pairs[i][0] == pairs[j][0] or pairs[i][1] == pairs[j][1]
        }
        - reached
    ):
        reached |= more
    assert set(group[group == group[0]].index) == reached


def test_missing_values_connect_nothing() -> None:
    keys = pd.DataFrame({"patient": ["p1", "p2", "p3", "p4"], "copy": [None, "a", None, "a"]}, dtype="str")
    assert connected_groups(keys).tolist() == ["p1", "p2", "p3", "p2"]
    with pytest.raises(TableError, match="`copy` has a missing value"):
        connected_groups(keys[["copy", "patient"]])
