"""A sheet of recommendations, each with what weighed most for it."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from winnow.show.figures import PALETTE, new_figure, styled

ROW = 0.26
"""Inches of a line."""
LONGEST = 34
"""Letters of a title."""


def explained_sheet(reasons: pd.DataFrame, users: int) -> Figure:
    """One block per user: the recommended songs, and bars for the effect of each reason."""
    shown = reasons[reasons["user"].isin(sorted(reasons["user"].unique())[:users])]
    blocks = [(str(user), part) for user, part in shown.groupby("user")]
    heights = [len(part) + 1.4 for _, part in blocks]
    with styled():
        figure = new_figure(9.5, ROW * sum(heights) + 0.9)
        columns = figure.subplots(len(blocks), 1, squeeze=False, gridspec_kw={"height_ratios": heights}, sharex=True)
        for axes, (user, part) in zip(columns[:, 0], blocks, strict=True):
            part = part.reset_index(drop=True)  # noqa: PLW2901 - the same rows, numbered
            colours = [PALETTE[0] if kind == "song" else PALETTE[1] for kind in part["kind"]]
            axes.barh(part.index, part["effect"], color=colours, height=0.7)
            labels = [
                f"{'because of ' if kind == 'song' else 'genre '}{_short(name)}"
                for kind, name in zip(part["kind"], part["reason"], strict=True)
            ]
            axes.set_yticks(part.index, labels, fontsize=7, parse_math=False)  # a dollar is a letter
            axes.invert_yaxis()
            axes.set_title(f"{user}, {part['user_type'].iloc[0]}", fontsize=9, loc="left", parse_math=False)
            beside = blended_transform_factory(axes.transAxes, axes.transData)
            for _, rows in part.groupby("place"):
                first = rows.iloc[0]
                mark = "  ✓ played" if first["found"] else ""
                label = f"{first['place']}. {_short(first['title'])}{mark}"
                axes.text(1.01, rows.index[0], label, transform=beside, fontsize=8, va="center", parse_math=False)
        columns[-1, 0].set_xlabel("by how much the score falls without it (blue: a song they played, orange: a genre)")
    return figure


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
