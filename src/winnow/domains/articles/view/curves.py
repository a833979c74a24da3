"""Training curves: errors, loss, and the error of each dimension."""

import pandas as pd
from matplotlib.figure import Figure

from winnow.show.curves import curve_figure, draw_curves
from winnow.show.figures import new_figure, styled

PREFIX = "val/dimension_mae/"


def overall_metrics(curves: pd.DataFrame) -> Figure:
    """MAE and RMSE of training and validation by epoch."""
    with styled():
        figure = new_figure(9.6, 4.0)
        left, right = figure.subplots(1, 2)
        for axes, metric, title in ((left, "mae", "Mean absolute error"), (right, "rmse", "Root mean squared error")):
            draw_curves(axes, curves, {f"train/{metric}": "train", f"val/{metric}": "validation"})
            axes.set_ylabel("points")
            axes.set_title(title)
    return figure


def loss_curves(curves: pd.DataFrame) -> Figure:
    """Training and validation loss by epoch."""
    return curve_figure(curves, {"train/loss": "train", "val/loss": "validation"}, title="Loss", ylabel="loss")


def per_dimension_mae(curves: pd.DataFrame) -> Figure:
    """Validation MAE of each dimension by epoch."""
    names = sorted(name for name in curves["metric"].unique() if name.startswith(PREFIX))
    with styled():
        figure = new_figure(8.4, 4.6)
        axes = figure.subplots()
        draw_curves(axes, curves, {name: name.removeprefix(PREFIX).replace("_", " ") for name in names})
        axes.set_ylabel("validation MAE, points")
        axes.set_title("Error by dimension")
        if legend := axes.get_legend():
            legend.remove()
            figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    return figure
