"""moonboard.com's own JSON: `{"Data": [{"Grade": …, "Moves": […]}, …], "Total": …}`, PascalCase."""

from pathlib import Path
from typing import Any

from winnow.domains.climb.source import problems
from winnow.domains.climb.source.app import BOARDS, angle_of
from winnow.domains.climb.source.problems import Problem, Problems

STARS = 3
"""The best user rating."""


def read(path: Path) -> Problems:
    """The problems of one file; raises SourceError."""
    document = problems.read_json(path)
    return problems.collect(problems.rows_of(document, under="Data", sign="Holdsetup", path=path), _problem)


def _problem(row: dict[str, Any]) -> Problem:
    setup = problems.need(row, "Holdsetup", dict)
    configuration = row.get("MoonBoardConfiguration") or {}
    if not isinstance(configuration, dict):
        raise problems.UnusableError(f"`MoonBoardConfiguration` is {configuration!r:.40}")
    board = problems.one_of(BOARDS, setup.get("Id"), "board")
    return Problem(
        board=board,
        angle=angle_of(board, configuration.get("Id")),
        grade=problems.grade(row, "Grade"),
        repeats=problems.count(row, "Repeats"),
        benchmark=problems.need(row, "IsBenchmark", bool),
        user_rating=problems.stars(row, "UserRating", STARS),
        name=problems.text(row, "Name"),
        method=problems.text(row, "Method"),
        holds=problems.moves(row, "Moves", ("Description", "IsStart", "IsEnd")),
    )
