"""Maps of where a page's print is: how many cells may differ."""

import numpy as np
import pytest

from winnow.images.alike import CELLS, same_map


def packed(places: list[tuple[int, int]]) -> bytes:
    """A map with print in these cells and nothing elsewhere."""
    cells = np.zeros((2, CELLS, CELLS), np.uint8)
    for row, column in places:
        cells[:, row, column] = 1
    return np.packbits(cells).tobytes()


@pytest.mark.parametrize(("further", "same"), [(0, True), (2, True), (3, False), (9, False)])
def test_three_cells_that_are_printed_in_one_map_alone_make_another_page(further: int, same: bool) -> None:
    form = [(10, column) for column in range(5, 60, 3)]
    filled = [*form, *((50, 5 + 4 * number) for number in range(further))]
    assert same_map(packed(form), packed(filled)) == same
    assert same_map(packed(filled), packed(form)) == same


def test_print_in_the_next_cell_is_the_same_and_two_cells_on_is_not() -> None:
    form = [(10, column) for column in range(5, 60, 6)]
    assert same_map(packed(form), packed([(row + 1, column + 1) for row, column in form]))
    assert not same_map(packed(form), packed([(row + 2, column) for row, column in form]))
