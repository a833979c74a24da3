"""Holds, grade, stars, of 2016's board at 40°: a list of `{"Grade": …, "Moves": ["G2", …], "UserRating": 0..3}`."""

from pathlib import Path
from typing import Any

from winnow.domains.climb.source import problems
from winnow.domains.climb.source.problems import Problem, Problems

STARS = 3
"""The best user rating."""


def read(path: Path) -> Problems:
    """The problems of one file; raises SourceError."""
    document = problems.read_json(path)
    return problems.collect(problems.rows_of(document, under=None, sign="Moves", path=path), _problem)


def _problem(row: dict[str, Any]) -> Problem:
    return Problem(
        board="2016",
        angle=40,
        grade=problems.grade(row, "Grade"),
        repeats=None,
        benchmark=False,
        user_rating=problems.stars(row, "UserRating", STARS),
        name=None,
        method=None,
        holds=problems.some([(problems.cell(hold), "unknown") for hold in problems.need(row, "Moves", list)]),
    )
