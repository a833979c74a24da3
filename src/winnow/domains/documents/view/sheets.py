"""The pages whose scores are furthest from the truth, and where the network saw damage on them."""

import pandas as pd
from matplotlib.figure import Figure

from winnow.images.codec import load_pixels
from winnow.show.figures import new_figure, styled
from winnow.show.heat import overlay


def error_sheet(cases: pd.DataFrame, columns: int) -> Figure:
    """The worst errors: true and predicted scores with the issues behind them."""
    return _sheet(cases, columns, heated=False)


def heat_sheet(cases: pd.DataFrame, columns: int) -> Figure:
    """The same pages under their heat maps."""
    return _sheet(cases, columns, heated=True)


def _sheet(cases: pd.DataFrame, columns: int, *, heated: bool) -> Figure:
    rows = -(-len(cases) // columns)
    with styled():
        figure = new_figure(3.6 * columns, 4.6 * rows)
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        for axes, case in zip(grid.flat, cases.to_dict("records"), strict=False):
            picture = overlay(case["png"], case["heat"]) if heated else load_pixels(case["png"])
            axes.imshow(picture)
            axes.set_title(
                f"true {case['true_score']:.2f}: {case['truth'] or 'no issue'}\n"
                f"said {case['score']:.2f}: {case['found'] or 'no issue'}",
                fontsize=7,
            )
    return figure
