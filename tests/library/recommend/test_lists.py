"""What lists of items are like."""

import numpy as np
import pytest

from winnow.recommend.lists import coverage, distinct_groups, exposure, list_diversity, list_novelty
from winnow.recommend.ranking import Ranking


def test_diversity_of_a_list_is_the_mean_distance_of_its_pairs() -> None:
    features = np.array([[1, 0], [0, 1], [1, 0], [0, 0]], dtype=np.float32)
    lists = np.array([[0, 1, -1], [0, 2, 3], [0, 1, 2], [3, -1, -1]])
    found = list_diversity(lists, features)
    assert found[:3] == pytest.approx([1.0, 0.0, 2 / 3])
    assert np.isnan(found[3])


def test_novelty_is_the_mean_surprise_of_the_listed_items() -> None:
    popularity = np.array([6, 2, 0, 0])  # plus one each: 7, 3, 1, 1 of 12
    found = list_novelty(np.array([[0, 1], [2, -1], [-1, -1]]), popularity)
    assert found == pytest.approx([(np.log2(12 / 7) + np.log2(12 / 3)) / 2, np.log2(12), 0])


def test_coverage_and_exposure_count_the_first_places_of_the_lists() -> None:
    lists = np.array([[19, 18, 0], [19, -1, -1]])
    none = np.zeros(2)
    ranked = Ranking(np.arange(2), lists, lists < -1, none.astype(np.int64), none, none.astype(np.float32))
    assert coverage(ranked, items=20, length=3) == 3 / 20
    assert coverage(ranked, items=20, length=2) == 2 / 20
    table = exposure("model", ranked, np.arange(20), length=3)
    assert table["share"].tolist() == [0.25, 0, 0, 0, 0, 0, 0, 0, 0, 0.75]


def test_distinct_groups_are_counted_among_items_that_have_one() -> None:
    group = np.array([0, 0, 1, -1, 2])
    found = distinct_groups(np.array([[0, 1, 2, 4], [0, 1, 3, -1], [3, -1, -1, -1]]), group)
    assert found[:2].tolist() == [0.75, 0.5]
    assert np.isnan(found[2])
