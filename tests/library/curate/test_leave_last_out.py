"""The last rows of every owner."""

from random import Random

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from winnow.curate.leave_last_out import leave_last_out


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(0, 3), st.integers(0, 3), st.randoms())
def test_test_rows_come_after_validation_rows_and_those_after_training_rows(
    owners: list[int], val: int, test: int, random: Random
) -> None:
    order = list(range(len(owners)))
    random.shuffle(order)
    rows = pd.DataFrame({"owner": owners, "order": order}, index=order)
    rows["side"] = leave_last_out(rows["owner"], rows["order"], val=val, test=test)
    for _, own in rows.groupby("owner"):
        sides = own.sort_values("order")["side"].tolist()
        if len(sides) > val + test:
            assert sides == ["train"] * (len(sides) - val - test) + ["val"] * val + ["test"] * test
        else:
            assert sides == ["train"] * len(sides)


def test_the_numbers_may_differ_between_owners() -> None:
    rows = pd.DataFrame({"owner": list("aaaabb"), "order": [1, 2, 3, 4, 2, 1], "test": [2, 2, 2, 2, 1, 1]})
    side = leave_last_out(rows["owner"], rows["order"], val=0, test=rows["test"])
    assert side.tolist() == ["train", "train", "test", "test", "test", "train"]
