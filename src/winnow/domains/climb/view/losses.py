"""Loss curves: overall, by grade and by quality bin."""

import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from winnow.domains.climb import definitions
from winnow.show.curves import curve_figure
from winnow.show.figures import new_figure, styled


def loss_curves(curves: pd.DataFrame) -> Figure:
    """Training and validation loss by epoch."""
    labels = {"train/loss": "train", "val/loss": "validation"}
    return curve_figure(curves, labels, title="Loss", ylabel="loss, nats per token")


def quality_curves(curves: pd.DataFrame) -> Figure:
    """Validation loss by quality bin and epoch."""
    labels = {f"val/loss_by_quality/{name}": name for name in definitions.QUALITY_BINS}
    return curve_figure(curves, labels, title="Loss by quality bin (repeats)", ylabel="validation loss, nats per token")


def sample_curves(curves: pd.DataFrame) -> Figure:
    """Quality of the few routes generated after every epoch; empty where none were."""
    labels = {
        "val/sample/unconstrained_validity_score": "valid without constraints",
        "val/sample/novelty_score": "no training route",
        "val/sample/grade_within_one_accuracy": "judged within a grade of the requested one",
    }
    title = "Generated routes while training"
    return curve_figure(curves, labels, title=title, ylabel="share of the generated routes", share=True)


def grade_curves(curves: pd.DataFrame) -> Figure:
    """Validation loss by grade and epoch, easy grades light and hard ones dark."""
    shown = [grade for grade in definitions.GRADES if f"val/loss_by_grade/{grade}" in set(curves["metric"])]
    with styled():
        figure = new_figure(8.0, 4.6)
        axes = figure.subplots()
        for index, grade in enumerate(shown):
            line = curves[curves["metric"] == f"val/loss_by_grade/{grade}"].sort_values("step")
            shade = colormaps["viridis_r"](0.05 + 0.95 * index / max(len(shown) - 1, 1))
            axes.plot(line["step"], line["value"], color=shade, label=grade, marker="o" if len(line) == 1 else None)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("epoch")
        axes.set_ylabel("validation loss, nats per token")
        axes.set_title("Loss by grade")
        figure.legend(loc="outside right upper", fontsize=8, title="grade")
    return figure
