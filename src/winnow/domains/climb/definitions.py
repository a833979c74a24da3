"""The terms of climbing: the Font scale, the boards, their cells, and the order of holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

COLUMNS = "ABCDEFGHIJK"
ROWS = 18
CELLS = len(COLUMNS) * ROWS
"""Cells of the largest board; smaller boards use the lower rows."""

GRADES = ("5+", "6A", "6A+", "6B", "6B+", "6C", "6C+", "7A", "7A+", "7B", "7B+", "7C", "7C+", "8A", "8A+", "8B", "8B+")
"""Font grades, easiest first."""

ANGLES = (25, 40)
QUALITY_BINS = ("low", "medium", "high", "unknown")

SUBSETS = ("full", "quality", "benchmark")
"""Subsets of the routes: all, those with enough repeats, and the benchmarks."""

START_ROWS = 6
"""Rows from the bottom in which a route may start: no start hold of the real files is higher, on any board."""

MAX_STARTS = 2
MAX_FINISHES = 2
"""A route is started with both hands, on one hold or two, and likewise finished."""

Role = Literal["start", "move", "finish"]


@dataclass(frozen=True)
class Board:
    """A MoonBoard hold setup; rows count from the bottom."""

    title: str
    rows: int
    angles: tuple[int, ...] = ANGLES


BOARDS = {
    "2016": Board("MoonBoard 2016", 18, angles=(40,)),
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


CELL_INDEX = {cell_name(index): index for index in range(CELLS)}
"""Every cell of the largest board by name; what is not in it is no cell."""

GRADE_INDEX = {grade: index for index, grade in enumerate(GRADES)}

FONT_OF_V = {
    "V2": ("5+",), "V3": ("6A", "6A+"), "V4": ("6B", "6B+"), "V5": ("6C", "6C+"), "V6": ("7A",), "V7": ("7A+",),
    "V8": ("7B", "7B+"), "V9": ("7C",), "V10": ("7C+",), "V11": ("8A",), "V12": ("8A+",), "V13": ("8B",),
    "V14": ("8B+",),
}  # fmt: skip
"""The Font grades of a V grade (Hueco scale), as the usual tables of comparison have them."""


def parse_grade(text: str) -> str | None:
    """The Font grade of `6c+`, `f6C+`, `6C+/V5`, or of a V grade that is one Font grade only, as V7; None if none."""
    first, _, second = (part.strip() for part in text.upper().partition("/"))
    grade, *others = FONT_OF_V.get(first, (first.removeprefix("F"),))
    one = not others and grade in GRADE_INDEX and (not second or grade in FONT_OF_V.get(second, ()))
    return grade if one else None


def row_of(cell: int) -> int:
    """Row of a cell, counted from 1 at the bottom."""
    return cell // len(COLUMNS) + 1


def infer_roles(cells: Sequence[int], board: str) -> list[Role]:
    """Roles of holds whose source gives none, from the holds alone; `cells` in token order.

    Finish: the holds of the board's top row. Start: the lowest hold and, if it lies in the start rows as well, the next
    one. A route that starts too high or ends below the top row gets no start or no finish. On real routes with known
    roles this names the role of 99% (2016), 96% (2017), 97% (2019) and 83% (Mini 2020) of the holds.
    """
    top = BOARDS[board].rows
    roles: list[Role] = []
    for position, cell in enumerate(cells):
        if row_of(cell) == top:
            roles.append("finish")
        elif position < MAX_STARTS and row_of(cell) <= START_ROWS:
            roles.append("start")
        else:
            roles.append("move")
    return roles
