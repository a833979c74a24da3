"""Charts that compare a recommender with its baselines: recall by user group, and popularity of the recommended items.

`ranked` has one row per recommender and user, with the columns recommender (`model`, or a baseline's name) and
recall_at_K. Loads no torch.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from winnow.show.curves import draw_curves
from winnow.show.dots import dot_chart, with_interval
from winnow.show.figures import PALETTE, new_figure, styled

GREY = "#9a9a9a"
LEAST = 1e-4
"""The share of places from which a cell is shaded."""
MEANING = {
    "model": "model (what is delivered)",
    "network": "network (the model's network alone)",
    "truth": "truth (what drew the data)",
}
"""Names on the axis for those that are no baselines."""
RECALL = (
    "Recall of all recommenders: the share of the held-out {} that their first K hold. Lines are 95% intervals of the "
    "mean; the model is the network, where it has one blended with a simpler partner; all other names are baselines."
)
BIAS = (
    "Which {} the recommenders list. Read along a line: the share of the places that each tenth of them gets, from the "
    "least popular to the most; – is none."
)
LISTS = "{}, each with what weighed most for it: the effect is by how much the score falls without it."
"""What the charts and the lists show, for the page."""


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


def recall_chart(parts: Mapping[str, pd.DataFrame], cutoffs: Sequence[int], users: str) -> Figure:
    """Mean Recall@K of every recommender with its 95% interval, a panel for each part's `ranked` rows.

    The best at the first K stands at the top; empty parts are left out. `users` is the plural name of who gets the
    lists.
    """
    panels = {}
    shown = {title: part for title, part in parts.items() if len(part)}
    first = next(iter(shown.values())).groupby("recommender")[f"recall_at_{cutoffs[0]}"].mean()
    for title, part in shown.items():
        rows = [
            with_interval(own[f"recall_at_{k}"], name=MEANING.get(str(name), str(name)), measure=f"K = {k}")
            for name in first.sort_values(ascending=False, kind="stable").index
            if len(own := part[part["recommender"] == name])
            for k in cutoffs
        ]
        panels[f"{title} (n = {part['recommender'].eq('model').sum():,} {users})"] = pd.DataFrame(rows)
    return dot_chart(panels, xlabel="Recall@K")


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
        panels[0].set_ylabel(f"Recall@{k}, 95% interval")
        figure.legend(*panels[-1].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
    return figure


def popularity_bias(exposure: pd.DataFrame, items: str, users: str, length: int) -> Figure:
    """How the places of the lists are shared by tenths of the items, from `Exposure`: a line for each recommender.

    `items` and `users` are plural names: of what is listed, and of who gets the lists.

    Shaded on a logarithmic scale: popular items have most places, and the others differ by orders of magnitude.
    """
    shares = exposure.pivot_table(index="recommender", columns="decile", values="share")
    names = sorted(shares.index, key=lambda name: (name != "model", name))
    values = shares.loc[names].to_numpy()
    with styled():
        figure = new_figure(8.4, 0.34 * len(names) + 1.7)
        axes = figure.subplots()
        axes.imshow(np.log10(np.maximum(values, LEAST)), cmap="Blues", vmin=np.log10(LEAST), vmax=0, aspect="auto")
        axes.grid(visible=False)
        for (row, column), share in np.ndenumerate(values):
            colour = "white" if share > 0.02 else "black"
            axes.text(column, row, _percent(share), ha="center", va="center", fontsize=8, color=colour)
        axes.set_yticks(range(len(names)), [MEANING.get(name, name) for name in names])
        axes.set_xticks(range(len(shares.columns)), [str(decile) for decile in shares.columns])
        axes.set_xlabel(f"tenth of the {items} by number of {users} (10: the most popular)")
        axes.set_title(f"Share of the places in all lists of {length}; equal shares would be 10%")
    return figure


def _bars(axes: Axes, table: pd.DataFrame, column: str, present: list[str], names: Sequence[str], metric: str) -> None:
    places = np.arange(len(present))
    for offset, colour, name in zip((-0.2, 0.2), (PALETTE[0], GREY), names, strict=True):
        own = table[table["recommender"] == name].groupby(column)[metric]
        mean, error = own.mean().reindex(present), (1.96 * own.sem()).reindex(present)
        axes.bar(places + offset, mean, 0.38, yerr=error.fillna(0), color=colour, label=name, error_kw={"linewidth": 1})


def _percent(share: float) -> str:
    if share == 0:
        return "–"
    return "<.1%" if share < 0.001 else f"{share:.1%}" if share < 0.0995 else f"{share:.0%}"
