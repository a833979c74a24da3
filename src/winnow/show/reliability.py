"""Reliability: how often predictions of a confidence are right."""

import pandas as pd
from matplotlib.figure import Figure

from winnow.show.figures import PALETTE, new_figure, styled


def reliability_diagram(bins: pd.DataFrame, *, of: str) -> Figure:
    """How often a predicted class (`of`: what it is called) of some confidence is right, before and after scaling.

    `bins` has the columns scaled, confidence, accuracy and rows.
    """
    with styled():
        figure = new_figure(5.2, 4.8)
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="#999999", linestyle="--", linewidth=1)
        for scaled, colour, label in ((False, PALETTE[7], "before scaling"), (True, PALETTE[0], "after scaling")):
            part = bins[bins["scaled"] == scaled]
            axes.plot(part["confidence"], part["accuracy"], color=colour, linewidth=1.5, label=label)
            size = 20 + 300 * part["rows"] / part["rows"].sum()
            axes.scatter(part["confidence"], part["accuracy"], s=size, color=colour, zorder=3)
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.04)
        axes.set_xlabel(f"confidence in the predicted {of}")
        axes.set_ylabel("share right")
        axes.set_title("Reliability")
        axes.set_aspect("equal")
        axes.legend(fontsize=8)
    return figure
