"""What the page of documents says of its worst errors, and what its figures show."""

import numpy as np
import pandas as pd

from winnow.domains.documents.view.figures import issue_bars, threshold_curves
from winnow.domains.documents.view.sheets import error_examples
from winnow.images.codec import encode_png


def test_an_example_tells_the_truth_and_the_models_answer_apart() -> None:
    page = encode_png(np.full((30, 20), 200, dtype=np.uint8))
    case = {"image_id": "a/1", "png": page, "heat": page, "true_score": 0.9, "score": 0.2, "truth": "blur", "found": ""}
    (example,) = error_examples(pd.DataFrame([case, case])[:1])
    true, model = example.lines
    assert "0.90" in true
    assert "blur" in true
    assert "0.20" in model
    assert "no issue" in model
    assert len(example.pictures) == 2


def test_bars_of_issues_are_their_recall_and_precision() -> None:
    issues = pd.DataFrame(
        {"issue": ["blur", "low_contrast"], "samples": [7, 9], "recall": [0.2, 0.4], "average_precision": [0.6, 0.8]}
    )
    (axes,) = issue_bars(issues).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["blur (n = 7)", "low contrast (n = 9)"]
    widths = {group.get_label(): [bar.get_width() for bar in group] for group in axes.containers}
    assert widths == {"recall": [0.2, 0.4], "average precision": [0.6, 0.8]}


def test_the_chosen_threshold_is_marked() -> None:
    table = pd.DataFrame(
        {"threshold": [0.1, 0.2], "found": [0.5, 0.9], "false_rejects": [0.0, 0.3], "chosen": [False, True]}
    )
    (axes,) = threshold_curves(table).axes
    lines = {str(line.get_label()): np.asarray(line.get_ydata()).tolist() for line in axes.lines}
    assert lines["unacceptable pages found"] == [0.5, 0.9]
    assert lines["acceptable pages rejected"] == [0.0, 0.3]
    (chosen,) = (line for line in axes.lines if str(line.get_label()).startswith("chosen"))
    assert np.asarray(chosen.get_xdata()).tolist() == [0.2, 0.2]
