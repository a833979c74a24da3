"""What a confusion matrix shows, read back from it."""

import numpy as np
import pandas as pd

from winnow.show.confusion import confusion_matrix


def test_rows_are_true_classes_and_each_sums_to_all_of_them() -> None:
    true, predicted = pd.Series([0, 0, 0, 0, 1, 1]), pd.Series([0, 0, 0, 1, 2, 2])
    axes = confusion_matrix(true, predicted, ["low", "middle", "high"], of="grade", rows="photographs").axes[0]
    cells = {(round(text.get_position()[1]), round(text.get_position()[0])): text.get_text() for text in axes.texts}
    told = {(0, 0): "3\n75%", (0, 1): "1\n25%", (1, 2): "2\n100%"}  # nobody is truly high
    assert cells == {(row, column): told.get((row, column), "0\n0%") for row in range(3) for column in range(3)}
    shade = np.asarray(axes.images[0].get_array())
    assert shade.tolist() == [[0.75, 0.25, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["low", "middle", "high"]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("true grade", "predicted grade")
