"""Pictures of predictions."""

import pandas as pd
from matplotlib.figure import Figure

from winnow.show.figures import PALETTE, new_figure

SHOWN = 15


def scatter(predictions: pd.DataFrame) -> Figure:
    """Each test row: what was predicted, over what is true."""
    figure = new_figure(5, 4)
    axes = figure.subplots()
    axes.scatter(predictions["target"], predictions["predicted"], s=8, color=PALETTE[0])
    axes.axline((float(predictions["target"].mean()),) * 2, slope=1, color="gray", linestyle="--")
    axes.set_xlabel("true")
    axes.set_ylabel("predicted")
    return figure


def error_by_group(predictions: pd.DataFrame) -> Figure:
    """The mean absolute error in the groups of the test with the largest one, and their rows."""
    error = (predictions["predicted"] - predictions["target"]).abs().groupby(predictions["group"])
    worst = error.agg(["mean", "size"]).sort_values(["mean", "size"], ascending=False).head(SHOWN)
    figure = new_figure(6, 4)
    axes = figure.subplots()
    axes.barh([f"{group} (n = {rows})" for group, rows in worst["size"].items()], worst["mean"], color=PALETTE[0])
    axes.invert_yaxis()
    axes.set_xlabel("mean absolute error")
    return figure
