"""Training curves, from the TSV files that DVCLive writes."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from winnow.pipeline.errors import TableError
from winnow.show.figures import PALETTE, new_figure, styled


def read_curves(folder: Path) -> pd.DataFrame:
    """One row per metric and epoch: `metric` (such as `val/loss`), `step`, `value`; raises TableError if none."""
    tables = []
    for file in sorted(folder.rglob("*.tsv")):
        table = pd.read_csv(file, sep="\t")
        metric = file.relative_to(folder).with_suffix("").as_posix()
        tables.append(pd.DataFrame({"metric": metric, "step": table["step"], "value": table.iloc[:, -1]}))
    if not tables:
        raise TableError(
            f"{folder} holds no training curves", fix="run the train stage: `dvc repro`, or `git checkout metrics`"
        )
    return pd.concat(tables, ignore_index=True)


def draw_curves(axes: Axes, curves: pd.DataFrame, labels: Mapping[str, str]) -> None:
    """One line per metric of `labels` (metric → legend text) that was recorded."""
    for colour, (metric, label) in zip(_colours(len(labels)), labels.items(), strict=False):
        line = curves[curves["metric"] == metric].sort_values("step")
        if len(line):
            axes.plot(
                line["step"],
                line["value"],
                label=label,
                color=colour,
                linewidth=1.8,
                marker="o" if len(line) == 1 else None,
            )
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if axes.get_legend_handles_labels()[0]:  # below the axis, where it covers no line
        axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)


def curve_figure(
    curves: pd.DataFrame, labels: Mapping[str, str], *, title: str, ylabel: str, share: bool = False
) -> Figure:
    """A figure of one line per metric of `labels`; with `share`, its axis is from 0 to 1."""
    with styled():
        figure = new_figure(6.4, 4.0)
        axes = figure.subplots()
        draw_curves(axes, curves, labels)
        if share:
            axes.set_ylim(0, 1.02)
        axes.set_ylabel(ylabel)
        axes.set_title(title)
    return figure


def _colours(count: int) -> list[str]:
    return [PALETTE[index % len(PALETTE)] for index in range(count)]
