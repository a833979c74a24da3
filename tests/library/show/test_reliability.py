"""What a reliability diagram shows, read back from it."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection

from winnow.show.reliability import reliability_diagram


def test_each_point_is_at_its_bin_and_as_large_as_its_share_of_the_rows() -> None:
    bins = pd.DataFrame(
        [(False, 0.6, 0.5, 30), (False, 0.9, 0.7, 70), (True, 0.5, 0.5, 10), (True, 0.8, 0.75, 40)],
        columns=["scaled", "confidence", "accuracy", "rows"],
    )
    axes = reliability_diagram(bins, of="class").axes[0]
    points = [each for each in axes.collections if isinstance(each, PathCollection)]
    lines = {str(line.get_label()): line.get_xydata() for line in axes.lines[1:]}
    assert list(lines) == ["before scaling", "after scaling"]
    for scatter, line, shares in zip(points, lines.values(), ([0.3, 0.7], [0.2, 0.8]), strict=True):
        assert np.asarray(scatter.get_offsets()) == pytest.approx(np.asarray(line))
        assert scatter.get_sizes() == pytest.approx([20 + 300 * share for share in shares])
    assert np.asarray(lines["before scaling"]).tolist() == [[0.6, 0.5], [0.9, 0.7]]
    assert np.asarray(lines["after scaling"]).tolist() == [[0.5, 0.5], [0.8, 0.75]]
