"""moonboard.com's own JSON: `{"Data": [{"Grade": …, "Moves": […]}, …], "Total": …}`, PascalCase."""

from pathlib import Path
from typing import Any

from winnow.domains.climb.source import problems
from winnow.domains.climb.source.app import ANGLES, BOARDS
from winnow.domains.climb.source.problems import Problem, Problems


def read(path: Path) -> Problems:
    """The problems of one file; raises SourceError."""
    document = problems.read_json(path)
    return problems.collect(problems.rows_of(document, under="Data", sign="Holdsetup", path=path), _problem)


def _problem(row: dict[str, Any]) -> Problem:
    setup = problems.need(row, "Holdsetup", dict)
    # The board of 2016 has one angle only, and no configuration.
    configuration = row.get("MoonBoardConfiguration") or {"Id": 0}
    if not isinstance(configuration, dict):
        raise problems.UnusableError(f"`MoonBoardConfiguration` is {configuration!r:.40}")
    return Problem(
        board=problems.one_of(BOARDS, setup.get("Id"), "board"),
        angle=problems.one_of(ANGLES, configuration.get("Id"), "angle"),
        grade=problems.grade(row, "Grade"),
        repeats=problems.count(row, "Repeats"),
        benchmark=problems.need(row, "IsBenchmark", bool),
        user_rating=problems.stars(row, "UserRating"),
        name=problems.text(row, "Name"),
        method=problems.text(row, "Method"),
        holds=problems.moves(row, "Moves", ("Description", "IsStart", "IsEnd")),
    )
