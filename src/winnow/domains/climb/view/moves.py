"""How generated routes are climbed, beside real ones."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from winnow.show.figures import PALETTE, new_figure, styled

TITLES = {
    "consecutive_distance": ("Distance of consecutive holds", "cells"),
    "longest_move": ("Longest move", "cells"),
    "start_height": ("Height of start holds", "row"),
    "finish_approach": ("Last move to the top", "cells"),
    "number_of_holds": ("Holds of a route", "holds"),
}
USAGE = "hold_usage"
ORIGINS = {"test": "test routes", "model": "generated routes"}


def move_distributions(shares: pd.DataFrame, distances: pd.DataFrame) -> Figure:
    """A panel for each measure, from `MoveShares` and `MoveDistances`, and one with the distances of all.

    Values are counted in steps of one cell, row or hold.
    """
    with styled():
        figure = new_figure(11.0, 6.4)
        grid = figure.subplots(2, 3).flat
        for axes, (measure, (title, unit)) in zip(grid, TITLES.items(), strict=False):
            here = shares[shares["measure"] == measure]
            steps = np.arange(np.floor(here["value"].min()), np.floor(here["value"].max()) + 1)
            for place, (origin, name) in enumerate(ORIGINS.items()):
                own = here[here["origin"] == origin]
                heights = own.groupby(np.floor(own["value"]))["share"].sum().reindex(steps, fill_value=0.0)
                axes.bar(steps + 0.4 * place - 0.2, heights, width=0.4, color=PALETTE[place], label=name)
            axes.set_title(title, fontsize=10)
            axes.set_xlabel(unit)
            axes.yaxis.set_major_formatter("{x:.0%}")
        _distances(grid[-1], distances)
        figure.legend(*grid[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _distances(axes: Axes, distances: pd.DataFrame) -> None:
    """The distance of every measure with its interval: of generated routes, and of training routes as real ones."""
    names = [*TITLES, USAGE]
    rows = {"model": ("generated", PALETTE[1]), "train": ("training", PALETTE[7])}
    for place, (origin, (name, colour)) in enumerate(rows.items()):
        own = distances[distances["origin"] == origin].set_index("measure").reindex(names)
        at = np.arange(len(names)) + 0.3 * place - 0.15
        off = np.clip([own["beyond_chance"] - own["low"], own["high"] - own["beyond_chance"]], 0, None)
        axes.errorbar(own["beyond_chance"], at, xerr=off, fmt="o", color=colour, label=name, markersize=4, capsize=2)
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel("cells, rows, holds; hold usage in bits")
    axes.set_title("Distance from test routes, beyond chance", fontsize=10)
    axes.legend(fontsize=8)
