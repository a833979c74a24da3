"""The picture of a meadow."""

import pandas as pd
from matplotlib.figure import Figure

from winnow.show.figures import PALETTE, new_figure


def scatter(predictions: pd.DataFrame) -> Figure:
    """Right and wrong predictions per species."""
    figure = new_figure(4, 3)
    axes = figure.subplots()
    right = (predictions["label"] == predictions["predicted"]).groupby(predictions["label"]).mean()
    axes.bar(right.index.astype(str), right, color=PALETTE[0])
    axes.set_ylabel("share right")
    return figure
