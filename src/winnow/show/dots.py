"""Values with their intervals beside one another: a line a name, a mark a measure, so that nothing hides another."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from winnow.show.figures import PALETTE, new_figure, styled

MARKS = "osD"


def dot_chart(panels: Mapping[str, pd.DataFrame], *, xlabel: str, zero: bool = True) -> Figure:
    """A panel for each table with the columns name, measure, value, low and high; names from the top, in their order.

    Up to three measures, each with a colour and a mark of its own. With `zero` the axis begins at 0.
    """
    names = list(dict.fromkeys(name for table in panels.values() for name in table["name"]))
    with styled():
        figure = new_figure(4.4 * len(panels) + 1.4, 0.34 * len(names) + 1.7)
        columns = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
        for axes, (title, table) in zip(columns, panels.items(), strict=True):
            measures = list(dict.fromkeys(table["measure"]))
            for index, measure in enumerate(measures):
                own = table[table["measure"] == measure]
                place = own["name"].map(names.index).to_numpy() + (index - (len(measures) - 1) / 2) * 0.22
                bounds = np.abs(own[["low", "high"]].to_numpy().T - own["value"].to_numpy())
                axes.errorbar(
                    own["value"], place, xerr=bounds, fmt=MARKS[index], color=PALETTE[index], markersize=4.5,
                    linewidth=1.2, capsize=2, label=measure,
                )  # fmt: skip
            axes.set_yticks(range(len(names)), names, parse_math=False)
            axes.set_ylim(len(names) - 0.5, -0.5)
            if zero:
                axes.set_xlim(left=0)
            axes.set_xlabel(xlabel)
            axes.set_title(title)
        if len(measures) > 1:
            figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    return figure


def with_interval(values: "pd.Series[float]", **named: str) -> dict[str, object]:
    """A row of `dot_chart`: the mean of the values, one of each test row, with the 95% interval of the mean."""
    found = values.to_numpy(np.float64)
    mean, half = found.mean(), 1.96 * found.std(ddof=1) / np.sqrt(len(found)) if len(found) > 1 else 0.0
    return {**named, "value": mean, "low": mean - half, "high": mean + half}
