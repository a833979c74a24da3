"""Which copy of a photograph stays: no published test or validation part is made smaller, and none is trained on."""

import itertools

import pandas as pd
import pytest

from tests.stages.programs import Programs
from winnow.domains.retina.rules.duplicates import surplus

FILTER = Programs.tiny("retina").section("filter")


@pytest.mark.parametrize("order", list(itertools.permutations(["train", "val", "test", None])))
def test_the_copy_of_the_official_test_stays_then_that_of_validation(order: tuple[str | None, ...]) -> None:
    """Of copies in every part, whatever their order: that of test; without test that of validation, else the first."""
    for left_out, stays in ((set(), "test"), ({"test"}, "val"), ({"test", "val"}, None)):
        parts = [part for part in order if part not in left_out]
        photos = pd.DataFrame(
            {
                "image_id": [f"a/{place}" for place in range(len(parts))],
                "duplicate_group": "a/0",
                "grade": 2,
                "official_split": pd.Series(parts, dtype="str"),
            }
        )
        kept = photos[surplus(photos, FILTER.model_copy(update={"duplicates": "drop"})).isna()]
        expected = parts.index(stays) if stays else 0
        assert kept.index.tolist() == [expected], f"of the copies {parts}"


def test_no_official_test_photograph_goes_for_another_one() -> None:
    photos = pd.DataFrame(
        {
            "image_id": ["a/0", "a/1", "a/2"],
            "duplicate_group": "a/0",
            "grade": 2,
            "official_split": ["train", "test", "test"],
        }
    )
    going = surplus(photos, FILTER.model_copy(update={"duplicates": "drop"}))
    assert going.fillna("stays").tolist() == ["duplicate", "stays", "stays"]
