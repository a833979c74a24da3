"""A sheet of completed playlists: the last known tracks, and what was added for which reason."""

import pandas as pd
from matplotlib.figure import Figure

from winnow.domains.playlists import definitions
from winnow.show.figures import PALETTE, new_figure, styled

ROW = 0.24
"""Inches of a line."""
LONGEST = 60
"""Letters of a name."""


def completed_sheet(completed: pd.DataFrame, playlists: int) -> Figure:
    """One block per playlist: its last tracks, then the added ones (found: green), each with its first reason."""
    shown = completed["playlist"].drop_duplicates().head(playlists)
    lines: list[tuple[str, str, str]] = []
    for playlist in shown:
        own = completed[completed["playlist"] == playlist]
        lines.append((f"{playlist}:  … {_short(own['given'].iloc[0], 110)}", "", "title"))
        for _, part in own.groupby("place"):
            first = part.iloc[0]
            name = f"{first['place']}. {_short(first['track'])}{'  ✓' if first['found'] else ''}"
            reason = f"{definitions.BECAUSE[first['kind']]} {_short(first['reason'])} ({first['effect']:+.3f})"
            lines.append((name, reason, "found" if first["found"] else "added"))
        lines.append(("", "", "added"))
    colours = {"title": "black", "found": PALETTE[2], "added": "#404040"}
    with styled():
        figure = new_figure(11.0, ROW * len(lines) + 0.4)
        axes = figure.subplots()
        axes.set_axis_off()
        axes.set_ylim(len(lines), 0)
        axes.set_xlim(0, 1)
        for row, (name, reason, kind) in enumerate(lines):
            weight = "bold" if kind == "title" else "normal"
            left = 0.0 if kind == "title" else 0.02
            texts = (
                axes.text(left, row, name, fontsize=8, color=colours[kind], weight=weight, va="top"),
                axes.text(0.52, row, reason, fontsize=7, color="#707070", va="top"),
            )
            for text in texts:
                text.set_parse_math(False)  # a dollar is a letter of a name
    return figure


def _short(text: str, longest: int = LONGEST) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
