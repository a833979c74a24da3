"""The model beside the simple recommenders: how much each finds, for whom, and how popular what it finds is."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from winnow.domains.sessions import definitions
from winnow.show.figures import PALETTE, new_figure, styled

GREY = "#9a9a9a"


def recall_at_cutoffs(ranked: pd.DataFrame) -> Figure:
    """Mean Recall@K of every recommender for trained users and, where there are any, for cold-start users."""
    parts = [
        (title, ranked[ranked["cold"] == cold]) for title, cold in (("Known users", False), ("Cold-start users", True))
    ]
    shown = [(title, part) for title, part in parts if len(part)]
    with styled():
        figure = new_figure(4.6 * len(shown) + 1.6, 4.0)
        for axes, (title, part) in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
            columns = [f"recall_at_{k}" for k in definitions.CUTOFFS]
            means = part.groupby("recommender")[columns].mean()
            for colour, name in zip(_colours(means.index), means.index, strict=True):
                wide = 2.6 if name == "model" else 1.4
                axes.plot(
                    definitions.CUTOFFS, means.loc[name], marker="o", color=colour, linewidth=wide, label=str(name)
                )
            axes.set_xticks(definitions.CUTOFFS)
            axes.set_xlabel("K")
            axes.set_ylabel("Recall@K")
            axes.set_ylim(bottom=0)
            axes.set_title(title)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    return figure


def recall_by_user(ranked: pd.DataFrame) -> Figure:
    """Recall@10 of the model and of the best baseline, by user type and by songs known of the user."""
    known = ranked[~ranked["cold"]]
    others = known[known["recommender"] != "model"].groupby("recommender")["recall_at_10"].mean()
    names = ["model", str(others.idxmax())]
    with styled():
        figure = new_figure(9.0, 3.8)
        left, right = figure.subplots(1, 2, sharey=True)
        _bars(left, known, "user_type", definitions.USER_TYPES, names)
        left.set_ylabel("Recall@10")
        left.set_xlabel("user type")
        _bars(right, known, "history", definitions.HISTORY_BINS, names)
        right.set_xlabel("songs known of the user")
        right.legend(fontsize=8)
    return figure


def popularity_bias(exposure: pd.DataFrame) -> Figure:
    """How the places of the lists share out over tenths of the songs by listeners."""
    with styled():
        figure = new_figure(7.4, 4.0)
        axes = figure.subplots()
        names = sorted(exposure["recommender"].unique())
        for colour, name in zip(_colours(names), names, strict=True):
            line = exposure[exposure["recommender"] == name].sort_values("decile")
            wide = 2.6 if name == "model" else 1.4
            axes.plot(line["decile"], line["share"], marker="o", color=colour, linewidth=wide, label=name)
        axes.set_xticks(range(1, 11))
        axes.set_xlabel("tenth of the songs by listeners (10: the most popular)")
        axes.set_ylabel("share of all places in the lists of 10")
        axes.set_title("Popularity bias")
        axes.legend(fontsize=8)
    return figure


def _bars(axes: Axes, table: pd.DataFrame, column: str, order: Sequence[str], names: list[str]) -> None:
    present = [value for value in order if (table[column] == value).any()]
    places = np.arange(len(present))
    for offset, colour, name in zip((-0.2, 0.2), (PALETTE[0], GREY), names, strict=True):
        own = table[table["recommender"] == name].groupby(column)["recall_at_10"]
        mean, error = own.mean().reindex(present), (1.96 * own.sem()).reindex(present)
        axes.bar(places + offset, mean, 0.38, yerr=error.fillna(0), color=colour, label=name, error_kw={"linewidth": 1})
    users = table[table["recommender"] == "model"][column].value_counts()
    axes.set_xticks(places, [f"{value}\n{users[value]} users" for value in present], fontsize=8)


def _colours(names: Sequence[str] | pd.Index) -> list[str]:
    """The model in the first colour, baselines in the others."""
    others = iter([*PALETTE[1:], *PALETTE[1:]])
    return [PALETTE[0] if name == "model" else next(others) for name in names]
