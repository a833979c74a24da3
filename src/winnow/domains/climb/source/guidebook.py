"""Moonboard-Guidebook's benchmarks: a list of `{"mb_type": …, "grade": 0..15, "start_holds": […], …}`, snake_case."""

from pathlib import Path
from typing import Any

from winnow.domains.climb import definitions
from winnow.domains.climb.source import problems
from winnow.domains.climb.source.problems import Problem, Problems

BOARDS = {0: "2016", 1: "2017", 2: "2017", 3: "2019", 4: "2019", 5: "2020"}
ANGLES = {0: 40, 1: 25, 2: 40, 3: 25, 4: 40, 5: 40}
HOLDS = {"start_holds": "start", "mid_holds": "move", "end_holds": "finish"}

STARS = 5
"""The best user rating."""


def read(path: Path) -> Problems:
    """The problems of one file; raises SourceError."""
    document = problems.read_json(path)
    return problems.collect(problems.rows_of(document, under=None, sign="mb_type", path=path), _problem)


def _problem(row: dict[str, Any]) -> Problem:
    # Its grades count from 5+ = 0, as ours do.
    grade = problems.need(row, "grade", int)
    return Problem(
        board=problems.one_of(BOARDS, row.get("mb_type"), "board"),
        angle=problems.one_of(ANGLES, row.get("mb_type"), "angle"),
        grade=definitions.GRADES[grade] if 0 <= grade < len(definitions.GRADES) else None,
        repeats=problems.count(row, "repeats"),
        benchmark=True,
        user_rating=problems.stars(row, "avg_user_stars", STARS),
        name=problems.text(row, "name"),
        method=None,
        holds=problems.some(
            [(problems.cell(hold), role) for key, role in HOLDS.items() for hold in problems.need(row, key, list)]
        ),
    )
