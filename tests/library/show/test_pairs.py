"""Sheets of images beside their heat maps: each case in its place, on as many rows as are needed."""

import numpy as np
import pytest

from winnow.images.codec import encode_png
from winnow.show.pairs import pair_sheet


@pytest.mark.parametrize(("count", "columns", "rows"), [(5, 2, 3), (4, 2, 2), (1, 3, 1)])
def test_cases_fill_rows_of_pairs_from_the_left(count: int, columns: int, rows: int) -> None:
    images = [np.full((8, 8, 3), 20 * number, np.uint8) for number in range(count)]
    heat = encode_png(np.zeros((8, 8), np.uint8))
    cases = [(encode_png(image), heat, f"left {n}", f"right {n}") for n, image in enumerate(images)]
    figure = pair_sheet(cases, columns, height=1.5, meaning="what counts")
    assert len(figure.axes) == rows * 2 * columns
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        left, right = figure.axes[row * 2 * columns + 2 * column :][:2]
        assert (left.get_title(loc="left"), right.get_title(loc="left")) == (f"left {number}", f"right {number}")
        assert (np.asarray(left.images[0].get_array()) == image).all()
    assert sum(bool(axes.images) for axes in figure.axes) == 2 * count
