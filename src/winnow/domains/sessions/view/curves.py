"""Training curves: loss and validation metrics."""

import pandas as pd
from matplotlib.figure import Figure

from winnow.show.curves import draw_curves
from winnow.show.figures import new_figure, styled


def learning_curves(curves: pd.DataFrame) -> Figure:
    """Training loss at the left, validation Recall and NDCG at the right."""
    with styled():
        figure = new_figure(9.0, 3.8)
        left, right = figure.subplots(1, 2)
        draw_curves(left, curves, {"train/loss": "train"})
        left.set_ylabel("loss")
        left.set_title("Training loss")
        names = {
            f"val/{name}_at_{k}": f"{title}@{k}"
            for name, title in (("recall", "Recall"), ("ndcg", "NDCG"))
            for k in (10, 20)
        }
        draw_curves(right, curves, names)
        right.set_ylabel("validation, all songs ranked")
        right.set_title("Validation")
    return figure
