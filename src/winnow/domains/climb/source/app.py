"""The app's JSON: a list of `{"grade": …, "moves": […]}`, or the same list as a dump `{"total": n, "data": […]}`."""

from pathlib import Path
from typing import Any

from winnow.domains.climb.source import problems
from winnow.domains.climb.source.problems import Problem, Problems

BOARDS = {1: "2016", 15: "2017", 17: "2019", 19: "2020"}
"""By Moon Climbing's number of the hold setup."""
ANGLES = {0: 40, 1: 40, 2: 25}
"""By Moon Climbing's number of the board configuration; 0 is the board of 2016, which has one angle."""


def read(path: Path) -> Problems:
    """The problems of one file; raises SourceError."""
    document = problems.read_json(path)
    return problems.collect(problems.rows_of(document, under="data", sign="holdsetup", path=path), _problem)


def _problem(row: dict[str, Any]) -> Problem:
    return Problem(
        board=problems.one_of(BOARDS, problems.need(row, "holdsetup", dict).get("apiId"), "board"),
        angle=problems.one_of(ANGLES, row.get("moonBoardConfigurationId"), "angle"),
        grade=problems.grade(row, "grade"),
        repeats=problems.count(row, "repeats"),
        benchmark=problems.need(row, "isBenchmark", bool),
        user_rating=problems.stars(row, "userRating"),
        name=problems.text(row, "name"),
        method=problems.text(row, "method"),
        holds=problems.moves(row, "moves", ("description", "isStart", "isEnd")),
    )
