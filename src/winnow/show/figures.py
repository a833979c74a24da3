"""Figures as PNG files that are the same bytes on every machine."""

import io
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from winnow.pipeline.console import doing
from winnow.pipeline.files import atomic_path

STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
}
"""The style of every figure."""

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#6a3d9a", "#7f7f7f")
"""Okabe and Ito's colours, distinguishable by colour-blind readers."""


def styled() -> AbstractContextManager[None]:
    """A context in which figures have the common style."""
    return rc_context(STYLE)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of a size in inches, free of pyplot's global state."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_png(figure: Figure, path: Path, dpi: int) -> None:
    """Write the figure atomically, without dates or versions in it."""
    doing(f"drawing {path.name}")
    with atomic_path(path) as scratch, styled():
        figure.savefig(scratch, format="png", dpi=dpi, metadata={"Software": None})


def as_image(figure: Figure, dpi: int) -> Image.Image:
    """The figure's pixels, without the margins."""
    out = io.BytesIO()
    with styled():
        figure.savefig(out, format="png", dpi=dpi, bbox_inches="tight", pad_inches=0.05)
    return Image.open(out)
