"""What the page of retina says of a grader besides its figures."""

import pandas as pd

from winnow.domains.retina.view.notes import never_predicted


def test_a_grade_that_is_never_predicted_is_named_with_its_photographs() -> None:
    test = pd.DataFrame({"grade": [0, 0, 1, 1, 2, 4], "predicted": [0, 0, 0, 2, 2, 4]})
    (note,) = never_predicted(test)
    assert "grade 1 (mild)" in note
    assert "2 of 6" in note
    assert never_predicted(test.assign(predicted=test["grade"])) == []
