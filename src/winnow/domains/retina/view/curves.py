"""Training curves, overall and by grade."""

import pandas as pd
from matplotlib.figure import Figure

from winnow.domains.retina import definitions
from winnow.show.curves import draw_curves
from winnow.show.figures import new_figure, styled


def loss_curves(curves: pd.DataFrame) -> Figure:
    """Training and validation loss, and the validation's agreement, by epoch."""
    with styled():
        figure = new_figure(9.6, 3.8)
        left, right = figure.subplots(1, 2)
        draw_curves(left, curves, {"train/loss": "train", "val/loss": "validation"})
        left.set_ylabel("focal loss")
        left.set_title("Loss")
        named = {"quadratic_weighted_kappa": "quadratic weighted kappa", "macro_f1": "macro F1", "accuracy": "accuracy"}
        draw_curves(right, curves, {f"val/{metric}": label for metric, label in named.items()})
        right.set_title("Validation")
    return figure


def f1_curves(curves: pd.DataFrame) -> Figure:
    """F1 of each grade in training and validation, and the share of each grade among the rows drawn."""
    titles = {
        "train/f1": "F1 in training",
        "val/f1": "F1 in validation",
        "train/drawn_share": "share of the rows drawn",
    }
    with styled():
        figure = new_figure(12.0, 3.8)
        for axes, (metric, title) in zip(figure.subplots(1, 3), titles.items(), strict=True):
            draw_curves(axes, curves, {f"{metric}/{grade}": f"grade {grade}" for grade in definitions.GRADES})
            axes.set_ylim(0, 1.02)
            axes.set_title(title)
    return figure
