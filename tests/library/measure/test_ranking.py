"""Ranking metrics against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from winnow.measure.ranking import clicks, ndcg_at, r_precision, recall_at


def test_recall_counts_hits_among_all_that_is_relevant() -> None:
    hits = [[True, False, True, False], [False, False, False, True]]
    assert recall_at(hits, [4, 1], 3).tolist() == [0.5, 0.0]
    assert recall_at(hits, [4, 1], 4).tolist() == [0.5, 1.0]


def test_ndcg_of_a_known_list() -> None:
    gain = 1 + 1 / np.log2(4)
    ideal = 1 + 1 / np.log2(3) + 1 / np.log2(4)
    assert ndcg_at([[True, False, True, False]], [3], 4)[0] == pytest.approx(gain / ideal)
    assert ndcg_at([[True, True, False]], [2], 3)[0] == pytest.approx(1.0)


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(0, 20), st.integers(1, 30))
def test_both_lie_between_0_and_1_and_a_hit_further_up_is_never_worse(hits: list[bool], unseen: int, k: int) -> None:
    relevant = [max(1, sum(hits) + unseen)]
    better = [sorted(hits, reverse=True)]
    for metric in (recall_at, ndcg_at):
        value = metric([hits], relevant, k)[0]
        assert 0 <= value <= 1
        assert metric(better, relevant, k)[0] >= value - 1e-12


def test_a_row_without_anything_to_find_is_refused() -> None:
    with pytest.raises(ValueError, match="leave it out"):
        recall_at([[True]], [0], 1)


def test_r_precision_and_clicks_of_the_recsys_challenge() -> None:
    hits = np.zeros((4, 500), dtype=bool)
    hits[0, [0, 4, 5]] = True
    hits[1, [25]] = True
    hits[2, [499]] = True
    relevant = [5, 1, 2, 3]
    assert r_precision(hits, relevant).tolist() == [2 / 5, 0, 0, 0]
    assert clicks(hits).tolist() == [0, 2, 49, 51]
