"""The leakage check names what is in two splits."""

import pandas as pd
import pytest

from winnow.curate.leakage import check_no_leakage
from winnow.pipeline.errors import LeakageError

SIDE = pd.Series(["train", "train", "test", "val"])


def test_groups_on_one_side_pass() -> None:
    check_no_leakage(SIDE, pd.DataFrame({"patient": ["a", "a", "b", "c"], "content": ["1", "2", "3", "4"]}))


def test_missing_keys_belong_to_nothing() -> None:
    check_no_leakage(SIDE, pd.DataFrame({"patient": [None, "a", None, "c"]}))


def test_a_group_on_two_sides_is_named() -> None:
    keys = pd.DataFrame({"patient": ["a", "b", "a", "c"]})
    with pytest.raises(LeakageError, match="1 values of `patient` are in two splits: a in test and train") as caught:
        check_no_leakage(SIDE, keys)
    assert caught.value.fix == "split with `patient` as (part of) the group key"


def test_every_key_is_checked() -> None:
    keys = pd.DataFrame({"patient": ["a", "b", "c", "d"], "content": ["1", "2", "3", "2"]})
    with pytest.raises(LeakageError, match="1 values of `content` .*: 2 in train and val"):
        check_no_leakage(SIDE, keys)


def test_many_are_cut_short() -> None:
    side = pd.Series(["train"] * 9 + ["test"] * 9)
    with pytest.raises(LeakageError, match="9 values of `user` .* and 4 more"):
        check_no_leakage(side, pd.DataFrame({"user": [*range(9), *range(9)]}))
