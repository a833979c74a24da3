"""Photographs that were graded rightly and wrongly, beside what the network looked at."""

import io

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from winnow.show.figures import new_figure, styled

STRENGTH = 0.55
"""How far the heat's colour covers the photograph where it is hottest."""


def case_sheet(cases: pd.DataFrame, columns: int) -> Figure:
    """Right cases, then wrong ones; each as the photograph and the same under its heat map."""
    right = cases[cases["grade"] == cases["predicted"]]
    wrong = cases[cases["grade"] != cases["predicted"]]
    parts = [(part, title) for part, title in ((right, "right"), (wrong, "wrong")) if len(part)]
    rows = sum(-(-len(part) // columns) for part, _ in parts)
    with styled():
        figure = new_figure(3.0 * columns, 1.9 * rows + 0.4)
        grid = figure.subplots(rows, 2 * columns, squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        line = 0
        for part, title in parts:
            for index, case in enumerate(part.itertuples()):
                row, column = divmod(index, columns)
                _draw(grid[line + row, 2 * column], grid[line + row, 2 * column + 1], case, title)
            line += -(-len(part) // columns)
    return figure


def overlay(photograph: bytes, heat: bytes) -> "NDArray[np.uint8]":
    """The photograph with its heat map over it."""
    pixels = _pixels(photograph, "RGB").astype(np.float32)
    strength = _pixels(heat, "L").astype(np.float32)[..., None] / 255
    colour = colormaps["inferno"](strength[..., 0])[..., :3] * 255
    cover = STRENGTH * strength
    return np.asarray((pixels * (1 - cover) + colour * cover).clip(0, 255), dtype=np.uint8)


def _draw(plain: Axes, heated: Axes, case: "object", title: str) -> None:
    grade, predicted = getattr(case, "grade"), getattr(case, "predicted")  # noqa: B009 - a row of itertuples
    png, heat, probability = (getattr(case, name) for name in ("png", "heat", "probability"))
    plain.imshow(_pixels(png, "RGB"))
    heated.imshow(overlay(png, heat))
    plain.set_title(f"{title}: is {grade}", fontsize=8, color="#009e73" if title == "right" else "#d55e00")
    heated.set_title(f"graded {predicted} ({probability:.0%})", fontsize=8)


def _pixels(png: bytes, mode: str) -> "NDArray[np.uint8]":
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert(mode))
