"""How well each grade is recognised: confusion matrix, ROC curves, F1 bars."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from winnow.curate.split_names import SPLITS
from winnow.domains.retina import definitions
from winnow.show.figures import PALETTE, new_figure, styled

LABELS = [f"{grade} {name}" for grade, name in zip(definitions.GRADES, definitions.GRADE_NAMES, strict=True)]


def roc_curves(points: pd.DataFrame) -> Figure:
    """One curve per grade, against the rest."""
    with styled():
        figure = new_figure(5.6, 5.0)
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="#999999", linestyle="--", linewidth=1)
        for grade, curve in points.groupby("grade"):
            area = float(np.trapezoid(curve["recall"], curve["false_positive_rate"]))
            index = int(str(grade))
            axes.plot(
                curve["false_positive_rate"],
                curve["recall"],
                color=PALETTE[index],
                label=f"{LABELS[index]}: AUC {area:.2f}",
            )
        axes.set_xlabel("false positive rate (1 - specificity)")
        axes.set_ylabel("recall (sensitivity)")
        axes.set_title("ROC of each grade against the rest")
        axes.set_aspect("equal")
        axes.legend(fontsize=8, loc="lower right")
    return figure


def f1_bars(classes: pd.DataFrame) -> Figure:
    """F1 of each grade on train, validation and test; the test's with its interval, and how many photographs it has."""
    with styled():
        figure = new_figure(7.2, 4.2)
        axes = figure.subplots()
        for index, split in enumerate(SPLITS):
            part = classes[classes["split"] == split]
            place = part["grade"] + (index - 1) * 0.27
            axes.bar(place, part["f1"], width=0.25, color=PALETTE[index], label=split)
            if split == "test":
                low = (part["f1"] - part["f1_low"]).clip(lower=0).fillna(0)
                high = (part["f1_high"] - part["f1"]).clip(lower=0).fillna(0)
                axes.errorbar(place, part["f1"], yerr=[low, high], fmt="none", color="black", capsize=2, linewidth=1)
                for x, y, samples in zip(place, part["f1"] + high, part["samples"], strict=True):
                    axes.text(x, min(y + 0.015, 1.01), f"n = {samples}", ha="center", fontsize=7)
        axes.set_xticks(definitions.GRADES, LABELS, fontsize=8)
        axes.set_ylim(0, 1.2)
        axes.set_ylabel("F1")
        axes.set_title("F1 of each grade")
        axes.legend(ncols=3, fontsize=8, loc="upper right")
    return figure
