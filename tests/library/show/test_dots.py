"""Values with their intervals, a line a name."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.library.show.charted import dots
from winnow.show.dots import dot_chart, with_interval


def test_each_mark_is_at_its_value_on_the_line_of_its_name_in_every_panel() -> None:
    rows = [(name, measure) for name in ("a$b$", "c") for measure in ("x", "y", "z")]
    full = pd.DataFrame(
        [
            {"name": name, "measure": measure, "value": number, "low": number - 0.5, "high": number + 1.0}
            for number, (name, measure) in enumerate(rows, 1)
        ]
    )
    figure = dot_chart({"all": full, "second": full[full["name"] == "c"]}, xlabel="score")
    expected = {(row["name"], row["measure"]): (row["value"], row["low"], row["high"]) for _, row in full.iterrows()}
    both = [dots(axes) for axes in figure.axes]
    assert both[0] == {key: pytest.approx(values) for key, values in expected.items()}
    assert both[1] == {key: pytest.approx(values) for key, values in expected.items() if key[0] == "c"}
    assert len({marks[0].get_color() for marks in figure.axes[0].containers}) == 3
    assert len({marks[0].get_marker() for marks in figure.axes[0].containers}) == 3
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["x", "y", "z"]


def test_the_interval_is_that_of_the_mean() -> None:
    values = pd.Series(np.random.default_rng(0).normal(3, 1, 50))
    row = with_interval(values, name="a", measure="b")
    assert (row["name"], row["measure"], row["value"]) == ("a", "b", pytest.approx(values.mean()))
    expected = stats.norm.interval(0.95, values.mean(), stats.sem(values))
    assert (row["low"], row["high"]) == pytest.approx(expected, rel=1e-3)
    alone = with_interval(pd.Series([2.0]), name="a", measure="b")
    assert (alone["low"], alone["high"]) == (2.0, 2.0)
