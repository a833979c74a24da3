"""Which pages show the same, of sources that say so and of those that do not."""

import pandas as pd

from winnow.domains.documents.rules.pages import shown

FIRST, NEAR, FAR = "0" * 16, "0" * 15 + "1", "f" * 16


def told(*rows: tuple[str, str, str | None]) -> list[str]:
    return shown(pd.DataFrame(rows, columns=["image_id", "perceptual_hash", "page"]), max_distance=4).tolist()


def test_pages_that_look_alike_are_one_and_others_are_not() -> None:
    assert told(("a", FIRST, None), ("b", FAR, None), ("c", NEAR, None)) == ["a", "b", "a"]


def test_bad_copies_that_look_alike_stay_copies_of_their_own_pages() -> None:
    assert told(("a@1", FIRST, "a"), ("b@1", NEAR, "b"), ("a@2", FAR, "a")) == ["a", "b", "a"]


def test_a_page_and_a_data_set_made_from_it_are_one_with_all_copies() -> None:
    """The copy that looks like the clean page brings those that do not, and neither side names the other."""
    found = told(("clean/a", FIRST, None), ("set/1", NEAR, "report"), ("set/2", FAR, "report"), ("set/3", FAR, "other"))
    assert found[0] == found[1] == found[2]
    assert found[3] != found[0], "another page's copy, alike to a bad one alone"
