"""What the judge of grades and the classifier test see of a route, counted again hold by hold."""

import itertools
from statistics import mean, pstdev

import pytest

from tests.library.domains.climb.test_moves import drawn, routes
from winnow.domains.climb import definitions
from winnow.domains.climb.model.features import geometry
from winnow.domains.climb.model.sequences import BOARDS, Sequences


def by_hand(sequences: Sequences, route: int) -> dict[str, float]:
    """The features of a route by name, in the order of `geometry`."""
    cells = [int(cell) for cell in sequences.tokens[route] if cell < definitions.CELLS]
    places = [(cell // len(definitions.COLUMNS), cell % len(definitions.COLUMNS)) for cell in cells]
    rows, columns = [row for row, _ in places], [column for _, column in places]
    lower = [
        sorted(((row - a) ** 2 + (column - b) ** 2) ** 0.5 for a, b in places[:number])
        for number, (row, column) in enumerate(places)
    ][1:]
    nearest, second = [each[0] for each in lower], [each[min(1, len(each) - 1)] for each in lower]
    up = [after - before for before, after in itertools.pairwise(rows)]
    across = [abs(after - before) for before, after in itertools.pairwise(columns)]
    board, angle, _ = sequences.conditions[route]
    return {
        "holds": len(cells),
        "first row": rows[0],
        "second row": rows[1],
        "last row but one": rows[-2],
        "longest move": max(nearest),
        "mean move": mean(nearest),
        "spread of moves": pstdev(nearest),
        "longest move from the second nearest": max(second),
        "mean move from the second nearest": mean(second),
        "longest step up": max(up),
        "mean step up": mean(up),
        "spread of steps up": pstdev(up),
        "longest step across": max(across),
        "mean step across": mean(across),
        "width": max(columns) - min(columns),
        "mean column": mean(columns),
        "spread of columns": pstdev(columns),
        "first column": columns[0],
        "last column": columns[-1],
        "holds in the start rows": sum(row < definitions.START_ROWS for row in rows),
        "angle": angle,
        **{f"on {name}": float(index == board) for index, name in enumerate(BOARDS)},
    }


@pytest.mark.parametrize(
    "sequences",
    [routes("F5 A9 I9 A18", "C4 D5 C18 F18"), routes("A1 A2 E2 E18", "B6 G18"), drawn(40, seed=5, board=2)],
    ids=["side by side", "two holds", "drawn"],
)
def test_the_shape_of_a_route_is_that_counted_hold_by_hold(sequences: Sequences) -> None:
    for route, found in enumerate(geometry(sequences)):
        expected = by_hand(sequences, route)
        assert dict(zip(expected, found.tolist(), strict=True)) == pytest.approx(expected)
