"""Lists known by their names alone."""

import numpy as np
import pytest

from winnow.recommend.words import SHRINK, fit_words, words_of

NAMES = ["Summer Party", "summer 2020", "Sad songs", "party 🔥", "", "SUMMER sad", "never trained"]
OWNER = np.array([0, 0, 1, 2, 3, 4, 5, 5])
ITEM = np.array([0, 1, 0, 2, 1, 3, 0, 2])


def test_words_are_those_of_people_and_emoji() -> None:
    assert words_of("Summer PARTY & más — summer 🔥") == ["summer", "party", "and", "mas", "🔥"]


def test_the_share_of_lists_with_a_word_is_shrunk_to_that_of_all() -> None:
    popularity = np.bincount(ITEM, minlength=4)
    found = fit_words(NAMES, OWNER, ITEM, popularity)
    assert found.total == 6
    assert found.words == ("party", "sad", "summer"), "in two training lists or more"
    common = popularity / 6
    summer = (np.array([3, 1, 1, 0]) + SHRINK * common) / (3 + SHRINK)
    party = (np.array([1, 2, 0, 0]) + SHRINK * common) / (2 + SHRINK)
    weights = np.log([6 / 3, 6 / 2]) + 1e-3
    both = (weights[0] * summer + weights[1] * party) / weights.sum()
    scores = found.scores(["Summer!", "party of the summer", "trained", ""])
    np.testing.assert_allclose(scores, [summer, both, common, common], rtol=1e-5)
    assert found.known("the Sad trained") == ["sad"], "a list without a training track tells nothing"


@pytest.mark.parametrize("names", [[""] * 7, ["one", "two", "three", "four", "five", "six", "seven"]])
def test_names_that_share_nothing_leave_popularity(names: list[str]) -> None:
    found = fit_words(names, OWNER, ITEM, np.bincount(ITEM, minlength=4))
    assert found.words == ()
    np.testing.assert_allclose(found.scores(["one"]), [np.bincount(ITEM, minlength=4) / 6], rtol=1e-6)
