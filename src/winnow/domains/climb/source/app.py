"""The app's JSON: a list of `{"grade": …, "moves": […]}`, or the same list as a dump `{"total": n, "data": […]}`."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from winnow.domains.climb.source import problems
from winnow.domains.climb.source.problems import Problem, Problems

BOARDS = {1: "2016", 15: "2017", 17: "2019", 19: "2020"}
"""By Moon Climbing's number of the hold setup."""
ANGLES = {1: 40, 2: 25}
"""By Moon Climbing's number of the board configuration."""
STARS = 5
"""The best user rating."""


def read(path: Path) -> Problems:
    """The problems of one file; raises SourceError."""
    document = problems.read_json(path)
    return problems.collect(problems.rows_of(document, under="data", sign="holdsetup", path=path), _problem)


def document(routes: Iterable[tuple[str, int, str, Sequence[tuple[str, str]]]]) -> dict[str, Any]:
    """Routes (board, angle, grade, holds as (cell, role)) as a dump of the app's problems; `read` gives them back."""
    setups, configurations = ({name: number for number, name in each.items()} for each in (BOARDS, ANGLES))
    # the app gives the board of 2016, which has one angle, no configuration
    rows = [
        {
            "name": f"winnow {number}",
            "grade": grade,
            "repeats": 0,
            "isBenchmark": False,
            "holdsetup": {"apiId": setups[board]},
            "moonBoardConfigurationId": 0 if board == "2016" else configurations[angle],
            "moves": [
                {"description": cell, "isStart": role == "start", "isEnd": role == "finish"} for cell, role in holds
            ],
        }
        for number, (board, angle, grade, holds) in enumerate(routes, 1)
    ]
    return {"total": len(rows), "data": rows}


def angle_of(board: str, configuration: Any) -> int:
    """Degrees of a board in a configuration; the board of 2016 has one angle, and 0 or none. Raises UnusableError."""
    if not configuration:
        if board == "2016":
            return 40
        raise problems.UnusableError(f"board {board} has several angles, and no configuration says which")
    return problems.angle_on(board, problems.one_of(ANGLES, configuration, "angle"))


def _problem(row: dict[str, Any]) -> Problem:
    board = problems.one_of(BOARDS, problems.need(row, "holdsetup", dict).get("apiId"), "board")
    return Problem(
        board=board,
        angle=angle_of(board, row.get("moonBoardConfigurationId")),
        grade=problems.grade(row, "grade"),
        repeats=problems.count(row, "repeats"),
        benchmark=problems.need(row, "isBenchmark", bool),
        user_rating=problems.stars(row, "userRating", STARS),
        name=problems.text(row, "name"),
        method=problems.text(row, "method"),
        holds=problems.moves(row, "moves", ("description", "isStart", "isEnd")),
    )
