"""What climbing words mean: the Font scale, the boards, their cells, and the order holds are told in."""
from dataclasses import dataclass

COLUMNS = "ABCDEFGHIJK"
ROWS = 18
CELLS = len(COLUMNS) * ROWS
"""Cells of the largest board; smaller boards use the lower rows."""

GRADES = ("5+", "6A", "6A+", "6B", "6B+", "6C", "6C+", "7A", "7A+", "7B", "7B+", "7C", "7C+", "8A", "8A+", "8B", "8B+")
"""Font grades, easiest first."""

ANGLES = (25, 40)
QUALITY_BINS = ("low", "medium", "high", "unknown")


@dataclass(frozen=True)
class Board:
    """A MoonBoard hold setup; rows count from the bottom."""

    title: str
    rows: int


BOARDS = {
    "2016": Board("MoonBoard 2016", 18),
    "2017": Board("MoonBoard Masters 2017", 18),
    "2019": Board("MoonBoard Masters 2019", 18),
    "2020": Board("Mini MoonBoard 2020", 12),
}


def cell_index(hold: str) -> int:
    """Index of a cell, bottom row first, A to K within a row: A1 is 0, K18 is 197."""
    return (int(hold[1:]) - 1) * len(COLUMNS) + COLUMNS.index(hold[0])


def cell_name(index: int) -> str:
    """The inverse of `cell_index`."""
    row, column = divmod(index, len(COLUMNS))
    return f"{COLUMNS[column]}{row + 1}"
