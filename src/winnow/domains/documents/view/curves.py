"""Training curves."""

import pandas as pd
from matplotlib.figure import Figure

from winnow.domains.documents import definitions
from winnow.show.curves import curve_figure, draw_curves
from winnow.show.figures import new_figure, styled


def loss_curves(curves: pd.DataFrame) -> Figure:
    """Training and validation loss, errors of the score, and accuracies, by epoch."""
    with styled():
        figure = new_figure(13.0, 3.8)
        left, middle, right = figure.subplots(1, 3)
        draw_curves(left, curves, {"train/loss": "train", "val/loss": "validation"})
        left.set_title("Loss")
        draw_curves(middle, curves, {"train/mae": "MAE in training", "val/mae": "MAE", "val/rmse": "RMSE"})
        middle.set_title("Error of the score")
        draw_curves(
            right,
            curves,
            {
                "train/accuracy": "accuracy in training",
                "val/accuracy": "accuracy",
                "val/balanced_accuracy": "balanced accuracy",
            },
        )
        right.set_title("Classes")
    return figure


def class_curves(curves: pd.DataFrame) -> Figure:
    """Validation accuracy of each class by epoch."""
    labels = {f"val/class_accuracy/{definitions.class_key(name)}": name for name in definitions.CLASSES}
    title = "Validation accuracy of each class"
    return curve_figure(curves, labels, title=title, ylabel="accuracy", share=True)
