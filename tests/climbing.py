"""How far moves are, hold by hold: the second way of computing what climb measures for whole tables and arrays."""

from collections.abc import Sequence

from winnow.domains.climb import definitions


def distance(first: int, second: int) -> float:
    """Straight distance between two cells, in cells."""
    rows = definitions.row_of(first) - definitions.row_of(second)
    columns = first % len(definitions.COLUMNS) - second % len(definitions.COLUMNS)
    return float((rows * rows + columns * columns) ** 0.5)


def longest_move(cells: Sequence[int]) -> float:
    """The reach that a route needs, in cells, given bottom up: each hold is reached from the nearest one before it."""
    moves = (min(distance(cell, lower) for lower in cells[:i]) for i, cell in enumerate(cells) if i > 0)
    return max(moves, default=0.0)
