"""Charts that compare a recommender with its baselines: recall by user group, and popularity of the recommended items.

`ranked` has one row per recommender and user, with the columns recommender (`model`, or a baseline's name) and
recall_at_K. Loads no torch.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from winnow.show.curves import draw_curves
from winnow.show.figures import PALETTE, new_figure, styled

GREY = "#9a9a9a"
DASHES: tuple[dict[str, Any], ...] = (
    {},
    {"linestyle": "-.", "markerfacecolor": "white"},
    {"linestyle": ":", "markerfacecolor": "white"},
)
"""Lines after the first ones, whose colours repeat."""


def learning_curves(curves: pd.DataFrame, items: str, cutoffs: Sequence[int]) -> Figure:
    """Training loss at the left, validation Recall and NDCG at the right; `items` is their plural name."""
    with styled():
        figure = new_figure(9.0, 3.8)
        left, right = figure.subplots(1, 2)
        draw_curves(left, curves, {"train/loss": "train"})
        left.set_ylabel("loss")
        left.set_title("Training loss")
        names = {
            f"val/{name}_at_{k}": f"{title}@{k}"
            for name, title in (("recall", "Recall"), ("ndcg", "NDCG"))
            for k in cutoffs
        }
        draw_curves(right, curves, names)
        right.set_ylabel(f"validation, all {items} ranked")
        right.set_title("Validation")
    return figure


def recall_chart(parts: Mapping[str, pd.DataFrame], cutoffs: Sequence[int]) -> Figure:
    """Mean Recall@K of every recommender, side by side for each part's `ranked` rows; empty parts are left out.

    The recommender `truth`, which knows how drawn data came about, is a dashed line.
    """
    shown = {title: part for title, part in parts.items() if len(part)}
    columns = [f"recall_at_{k}" for k in cutoffs]
    with styled():
        figure = new_figure(4.6 * len(shown) + 1.6, 4.0)
        for axes, (title, part) in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown.items(), strict=True):
            means = part.groupby("recommender")[columns].mean()
            for name, style in _lines(means.index).items():
                axes.plot(cutoffs, means.loc[name], label=name, **style)
            axes.set_xticks(cutoffs)
            axes.set_xlabel("K")
            axes.set_ylabel("Recall@K")
            axes.set_ylim(bottom=0)
            axes.set_title(title)
        first = figure.axes[0]
        figure.legend(*first.get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    return figure


def recall_by_group(
    ranked: pd.DataFrame, groups: Mapping[str, tuple[str, Sequence[str]]], users: str, k: int
) -> Figure:
    """Recall@k of the model and of its best baseline, with 95% intervals, by groups of users.

    `groups` maps a column of `ranked` to its axis label and the order of its values; `users` is the plural name of who
    gets the lists.
    """
    metric = f"recall_at_{k}"
    others = ranked[ranked["recommender"] != "model"].groupby("recommender")[metric].mean()
    names = ["model", str(others.idxmax())]
    with styled():
        figure = new_figure(4.5 * len(groups), 3.8)
        panels = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
        for axes, (column, (label, order)) in zip(panels, groups.items(), strict=True):
            sizes = ranked[ranked["recommender"] == "model"][column].value_counts()
            present = [value for value in order if sizes.get(value, 0)]
            _bars(axes, ranked, column, present, names, metric)
            axes.set_xticks(range(len(present)), [f"{value}\n{sizes[value]} {users}" for value in present], fontsize=8)
            axes.set_xlabel(label)
        panels[0].set_ylabel(f"Recall@{k}, with the 95% interval of the mean")
        panels[-1].legend(fontsize=8)
    return figure


def popularity_bias(exposure: pd.DataFrame, items: str, users: str, length: int) -> Figure:
    """How the places of the lists are shared by tenths of the items, from `Exposure`.

    `items` and `users` are plural names: of what is listed, and of who gets the lists.

    On a logarithmic axis: popular items have most places, and the others differ by orders of magnitude. A tenth without
    any place has no point.
    """
    with styled():
        figure = new_figure(7.4, 4.0)
        axes = figure.subplots()
        for name, style in _lines(sorted(exposure["recommender"].unique())).items():
            line = exposure[(exposure["recommender"] == name) & (exposure["share"] > 0)].sort_values("decile")
            axes.plot(line["decile"], line["share"], label=name, **style)
        axes.set_yscale("log")
        axes.axhline(0.1, color=GREY, linewidth=0.8, linestyle=":", label="equal shares")
        axes.set_xticks(range(1, 11))
        axes.set_xlabel(f"tenth of the {items} by number of {users} (10: the most popular)")
        axes.set_ylabel(f"share of all places in the lists of {length}")
        axes.set_title("Popularity bias")
        axes.legend(fontsize=8)
    return figure


def _bars(axes: Axes, table: pd.DataFrame, column: str, present: list[str], names: Sequence[str], metric: str) -> None:
    places = np.arange(len(present))
    for offset, colour, name in zip((-0.2, 0.2), (PALETTE[0], GREY), names, strict=True):
        own = table[table["recommender"] == name].groupby(column)[metric]
        mean, error = own.mean().reindex(present), (1.96 * own.sem()).reindex(present)
        axes.bar(places + offset, mean, 0.38, yerr=error.fillna(0), color=colour, label=name, error_kw={"linewidth": 1})


def _lines(names: Sequence[str] | pd.Index) -> dict[str, dict[str, Any]]:
    """How each recommender's line is drawn: the first colour and a wide line for the model, dashes for the truth."""
    own: dict[str, dict[str, Any]] = {
        "model": {"color": PALETTE[0], "linewidth": 2.6},
        "truth": {"color": "black", "linewidth": 1.4, "linestyle": "--"},
    }
    others = ({"color": colour, "linewidth": 1.4} | dash for dash in DASHES for colour in PALETTE[1:])
    return {str(name): {"marker": "o"} | (own[name] if name in own else next(others)) for name in names}
