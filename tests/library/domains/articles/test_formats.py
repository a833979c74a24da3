"""Scores that a row of articles holds, whatever names it gives them."""

from typing import Any

import pytest

from winnow.domains.articles.source.formats import own_scores


@pytest.mark.parametrize(
    "row",
    [
        {"scores": {"hope": 3, "harm": 4.5}},
        {"scores": {"hope": {"score": 3, "reasoning": "some"}, "harm": {"score": 4.5}}},
        {"mine_analysis": {"dimensions": {"hope": 3, "harm": 4.5}, "overall": 9}, "scores": {"other": 1}},
        {"labels": [3, 4.5], "dimension_names": ["hope", "harm"]},
        {"hope": 3.0, "harm": 4.5, "words": 900, "year": "2024"},
    ],
    ids=["numbers", "reasons", "analysis", "lists", "columns"],
)
def test_scores_are_found_however_they_are_written(row: dict[str, Any]) -> None:
    assert own_scores({"id": "a", "title": "One", "content": "Two", **row}) == {"hope": 3, "harm": 4.5}


@pytest.mark.parametrize(
    "row",
    [
        {"scores": {"hope": True, "harm": "4.5", "rest": None}},
        {"scores": {"hope": {"score": False}, "harm": {"reasoning": "none"}}},
        {"mine_analysis": {"dimensions": {"paid": True}}},
        {"labels": [True, None], "dimension_names": ["hope", "harm"]},
        {"labels": [3, 4.5], "dimension_names": ["hope"]},
        {"about": {"year": 2024, "words": 900.0}},
        {"scores": "3.5", "is_read": True, "words": 900},
    ],
    ids=["kinds", "reasons", "analysis", "lists", "lengths", "object", "columns"],
)
def test_what_is_no_number_is_no_score(row: dict[str, Any]) -> None:
    """A mark of true or false is a number to Python."""
    assert own_scores({"id": "a", "content": "Two", **row}) == {}
