"""How well pages are judged: scores, classes, confidence, issues and the retake threshold."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from winnow.domains.documents import definitions
from winnow.show.figures import PALETTE, new_figure, styled


def scores(test: pd.DataFrame) -> Figure:
    """Predicted against true scores."""
    with styled():
        figure = new_figure(5.4, 5.2)
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="#999999", linestyle="--", linewidth=1)
        for number, name in enumerate(definitions.CLASSES):
            part = test[test["true_label"] == number]
            axes.scatter(part["true_score"], part["score"], s=12, alpha=0.6, color=PALETTE[number], label=name)
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        axes.set_aspect("equal")
        axes.set_xlabel("true score")
        axes.set_ylabel("predicted score")
        error = (test["score"] - test["true_score"]).abs().mean()
        axes.set_title(f"Scores of {len(test)} test images, mean absolute error {error:.3f}")
        axes.legend(fontsize=8, title="true class")
    return figure


def issue_bars(issues: pd.DataFrame) -> Figure:
    """Recall and average precision of each issue, with the number of images that have it."""
    with styled():
        figure = new_figure(8.4, 4.4)
        axes = figure.subplots()
        place = np.arange(len(issues))
        for offset, (column, label) in enumerate((("recall", "recall"), ("average_precision", "average precision"))):
            axes.barh(place + (offset - 0.5) * 0.38, issues[column], height=0.36, color=PALETTE[offset], label=label)
        names = [
            f"{issue.replace('_', ' ')} (n = {count})"
            for issue, count in zip(issues["issue"], issues["samples"], strict=True)
        ]
        axes.set_yticks(place, names)
        axes.invert_yaxis()
        axes.set_xlim(0, 1.02)
        axes.set_title("Issues in the test split")
        axes.legend(fontsize=8, loc="lower right")
    return figure


def threshold_curves(table: pd.DataFrame) -> Figure:
    """What each retake threshold would do on validation, and the one that was chosen."""
    with styled():
        figure = new_figure(6.0, 4.0)
        axes = figure.subplots()
        axes.plot(table["threshold"], table["found"], color=PALETTE[0], label="unacceptable pages found")
        axes.plot(table["threshold"], table["false_rejects"], color=PALETTE[1], label="acceptable pages rejected")
        for chosen in table.loc[table["chosen"], "threshold"]:
            axes.axvline(chosen, color="#555555", linestyle="--", linewidth=1, label=f"chosen: {chosen:.3f}")
        axes.set_xlabel("retake threshold of the score")
        axes.set_ylabel("share of validation pages")
        axes.set_title("Choice of the retake threshold")
        axes.legend(fontsize=8)
    return figure
