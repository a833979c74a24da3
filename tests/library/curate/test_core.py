"""The k-core."""

import numpy as np
import pandas as pd

from winnow.curate.core import k_core


def test_the_k_core_is_stable_and_largest() -> None:
    rng = np.random.default_rng(3)
    plays = pd.DataFrame({"owner": rng.integers(0, 40, 260).astype(str), "item": rng.integers(0, 60, 260).astype(str)})
    inside, rounds = k_core(plays["owner"], plays["item"], min_items=4, min_owners=3)
    kept = plays[inside].drop_duplicates()
    assert rounds > 3
    assert kept.groupby("owner").size().min() >= 4
    assert kept.groupby("item").size().min() >= 3
    left = plays[~inside]
    while len(left):  # nothing that was dropped could have stayed: peel it off one at a time
        owners, items = plays.drop_duplicates().groupby("owner").size(), plays.drop_duplicates().groupby("item").size()
        weak = plays["owner"].map(owners).lt(4) | plays["item"].map(items).lt(3)
        assert weak.any()
        plays = plays[~weak]
        left = plays[~inside.reindex(plays.index)]
    assert len(plays) == inside.sum()


def test_a_pair_in_several_rows_counts_once_and_all_of_them_stay_or_go() -> None:
    owner, item = (
        pd.Series(["a", "a", "a", "b"], index=[3, 5, 7, 9]),
        pd.Series(["x", "x", "y", "x"], index=[3, 5, 7, 9]),
    )
    assert k_core(owner, item, min_items=2, min_owners=1)[0].to_dict() == {3: True, 5: True, 7: True, 9: False}
    assert k_core(owner[:2], item[:2], min_items=2, min_owners=1)[0].tolist() == [False, False]
    assert k_core(owner[:0], item[:0], min_items=2, min_owners=1)[0].tolist() == []
