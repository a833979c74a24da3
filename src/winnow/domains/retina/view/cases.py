"""Correctly and wrongly graded photographs with the network's heat maps."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from winnow.images.codec import load_pixels
from winnow.show.figures import new_figure, styled
from winnow.show.heat import overlay


def case_sheet(cases: pd.DataFrame, columns: int) -> Figure:
    """Right cases, then wrong ones; each as the photograph and the same under its heat map."""
    right = cases[cases["grade"] == cases["predicted"]]
    wrong = cases[cases["grade"] != cases["predicted"]]
    parts = [(part, title) for part, title in ((right, "right"), (wrong, "wrong")) if len(part)]
    rows = sum(-(-len(part) // columns) for part, _ in parts)
    with styled():
        figure = new_figure(3.0 * columns, 1.9 * rows + 0.4)
        grid = figure.subplots(rows, 2 * columns, squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        line = 0
        for part, title in parts:
            for index, case in enumerate(part.itertuples()):
                row, column = divmod(index, columns)
                _draw(grid[line + row, 2 * column], grid[line + row, 2 * column + 1], case, title)
            line += -(-len(part) // columns)
    return figure


def _draw(plain: Axes, heated: Axes, case: "object", title: str) -> None:
    grade, predicted = getattr(case, "grade"), getattr(case, "predicted")  # noqa: B009 - a row of itertuples
    png, heat, probability = (getattr(case, name) for name in ("png", "heat", "probability"))
    plain.imshow(load_pixels(png))
    heated.imshow(overlay(png, heat))
    plain.set_title(f"{title}: is {grade}", fontsize=8, color="#009e73" if title == "right" else "#d55e00")
    heated.set_title(f"graded {predicted} ({probability:.0%})", fontsize=8)
