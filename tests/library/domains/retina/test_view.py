"""What the page of retina says of a grader besides its figures."""

import numpy as np
import pandas as pd

from winnow.domains.retina.view.cases import stored_size
from winnow.domains.retina.view.figures import f1_bars
from winnow.domains.retina.view.notes import collapsed, never_predicted
from winnow.images.codec import encode_png


def test_a_grade_that_is_never_predicted_is_named_with_its_photographs() -> None:
    test = pd.DataFrame({"grade": [0, 0, 1, 1, 2, 4], "predicted": [0, 0, 0, 2, 2, 4]})
    (note,) = never_predicted(test)
    assert "grade 1 (mild)" in note
    assert "2 of 6" in note
    assert never_predicted(test.assign(predicted=test["grade"])) == []


def test_a_grader_with_one_answer_for_all_cannot_be_used() -> None:
    """As after the preset `tiny`: a verdict and pictures alone look as if all were well."""
    test = pd.DataFrame({"grade": [0, 1, 2, 4], "predicted": [0, 1, 2, 2], "referred": [False, False, True, True]})
    assert collapsed(test) == ""
    assert "“refer” for all 4" in collapsed(test.assign(referred=True))
    assert "grade 2 (moderate)" in collapsed(test.assign(predicted=2))
    assert collapsed(test.assign(grade=0, referred=False, predicted=0)) == "", "of one grade that is right"


def test_photographs_that_the_page_enlarges_are_said_to_be_enlarged() -> None:
    for width, enlarged in ((48, True), (416, False)):
        cases = pd.DataFrame({"png": [encode_png(np.zeros((width, width, 3), dtype=np.uint8))]})
        assert stored_size(cases).startswith(f"{width} × {width} pixels")
        assert ("enlarged" in stored_size(cases)) == enlarged


def test_bars_of_f1_have_the_tests_interval_and_number() -> None:
    grades = range(5)
    classes = pd.concat(
        [
            pd.DataFrame({"split": split, "grade": grades, "f1": start, "f1_low": start - 0.1, "f1_high": start + 0.2})
            .assign(samples=[number + offset for number in grades])
            for split, start, offset in (("train", 0.7, 100), ("val", 0.6, 200), ("test", 0.5, 300))
        ]
    )  # fmt: skip
    (axes,) = f1_bars(classes).axes
    bars = {group.get_label(): [bar.get_height() for bar in group] for group in axes.containers if len(group) == 5}
    assert bars == {"train": [0.7] * 5, "val": [0.6] * 5, "test": [0.5] * 5}
    assert [text.get_text() for text in axes.texts] == [f"n = {300 + grade}" for grade in grades]
    ((interval,),) = (group.lines[2] for group in axes.containers if hasattr(group, "has_yerr"))
    ends = np.array([segment[:, 1] for segment in interval.get_segments()])
    np.testing.assert_allclose(ends, [[0.4, 0.7]] * 5)
