"""An image beside the same one under its heat map."""

from collections.abc import Sequence
from textwrap import fill

from matplotlib.figure import Figure
from PIL import Image

from winnow.images.codec import load_pixels
from winnow.show.figures import new_figure, styled
from winnow.show.heat import overlay

SIDE = 360
"""Pixels of the longer side of an image in the page, at most."""


def pair_images(image: bytes, heat: bytes, shown: str, meaning: str) -> list[tuple[Image.Image, str]]:
    """The image, and the same under its heat map, each with a text: what is `shown`, and what is bright (`meaning`)."""
    pictures = [(load_pixels(image), shown), (overlay(image, heat), f"the same under its heat map; bright: {meaning}")]
    return [(_fitted(Image.fromarray(pixels)), text) for pixels, text in pictures]


def pair_sheet(cases: Sequence[tuple[bytes, bytes, str, str]], columns: int, *, height: float, meaning: str) -> Figure:
    """Each case (image, heat map, title of each) as a pair, `columns` pairs a row, `height` inches high."""
    rows = -(-len(cases) // columns)
    with styled():
        figure = new_figure(1.64 * height * columns, (height + 0.35) * rows + 0.4)
        grid = figure.subplots(rows, 2 * columns, squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        for index, (image, heat, left, right) in enumerate(cases):
            row, column = divmod(index, columns)
            for place, pixels, title in ((0, load_pixels(image), left), (1, overlay(image, heat), right)):
                axes = grid[row, 2 * column + place]
                axes.imshow(pixels, cmap="gray")
                axes.set_title(fill(title, round(10 * height)), fontsize=8, loc="left", parse_math=False)
        figure.supxlabel(f"Right of each pair the heat map: yellow marks {meaning}", fontsize=9)
    return figure


def _fitted(image: Image.Image) -> Image.Image:
    """Reduced where it is large; the page enlarges a small one."""
    scale = min(SIDE / max(image.size), 1)
    width, height = (max(round(side * scale), 1) for side in image.size)
    return image.convert("RGB").resize((width, height), Image.Resampling.BOX)
