"""Confusion matrices."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from winnow.show.figures import new_figure, styled

DARK = 0.55
"""Shares above which a cell's text is white."""


def confusion_matrix(
    true: "pd.Series[int]", predicted: "pd.Series[int]", labels: Sequence[str], *, of: str, rows: str
) -> Figure:
    """True against predicted classes, numbered as `labels`: counts, shaded by the share of the true class.

    `of` names a class (grade), `rows` the test rows (photographs).
    """
    numbers = range(len(labels))
    counts = pd.crosstab(true, predicted).reindex(numbers, columns=numbers, fill_value=0)
    values = counts.to_numpy()
    shares = values / np.maximum(values.sum(axis=1, keepdims=True), 1)
    with styled():
        figure = new_figure(6.2, 5.2)
        axes = figure.subplots()
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.grid(visible=False)
        for (row, column), count in np.ndenumerate(values):
            colour = "white" if shares[row, column] > DARK else "black"
            text = f"{count}\n{shares[row, column]:.0%}"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
        axes.set_xticks(numbers, labels, fontsize=8, rotation=20)
        axes.set_yticks(numbers, labels, fontsize=8)
        axes.set_xlabel(f"predicted {of}")
        axes.set_ylabel(f"true {of}")
        axes.set_title(f"Confusion matrix, {len(true)} test {rows}")
        figure.colorbar(image, ax=axes, shrink=0.8, format="{x:.0%}", label=f"share of the true {of}")
    return figure
