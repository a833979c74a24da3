"""A CSV with one row per problem, such as `winnow export climb split` and the original system write."""

import re
from pathlib import Path
from typing import Any

from winnow.curate.delimited import read_delimited
from winnow.domains.climb import definitions
from winnow.domains.climb.source import problems
from winnow.domains.climb.source.problems import Problem, Problems
from winnow.pipeline.errors import SourceError

NEEDED = ("grade", "holds")
TRUE, FALSE = {"true", "1", "yes"}, {"false", "0", "no", ""}


def read(path: Path) -> Problems:
    """The problems of one file; raises SourceError.

    It needs the columns grade and holds (cells joined by blanks or commas). Optional: board (2016 without), angle (40),
    repeats, is_benchmark, user_rating (0 to 1), start_holds, finish_holds, name, method. Others are ignored.
    """
    header, *lines = read_delimited(path)
    if not any(map(any, lines)):
        below = " but its header" if any(header) else ""
        raise SourceError(f"{path} holds nothing{below}", fix="name a file with one line per problem")
    columns = [name.strip().lower() for name in header]
    if missing := [name for name in NEEDED if name not in columns]:
        raise SourceError(
            f"{path} has no column {' and no '.join(missing)}",
            where=f"its columns: {', '.join(filter(None, columns)) or 'none'}",
            fix="rename its columns: data/source/climb/README.md describes them",
        )
    rows = {
        number: dict(zip(columns, (cell.strip() for cell in line), strict=False))
        for number, line in enumerate(lines, 2)
        if any(cell.strip() for cell in line)
    }
    return problems.collect(rows.values(), _problem, rows)


def _problem(row: dict[str, Any]) -> Problem:
    board = row.get("board") or "2016"
    if board not in definitions.BOARDS:
        raise problems.UnusableError(f"unknown board: {board!r:.40}, not one of {', '.join(definitions.BOARDS)}")
    angle = _number(row, "angle")
    angle = 40 if angle is None else angle
    if angle not in definitions.ANGLES:
        raise problems.UnusableError(f"unknown angle: {angle!r:.40}")
    return Problem(
        board=board,
        angle=problems.angle_on(board, int(angle)),
        grade=problems.grade(row, "grade"),
        repeats=_repeats(row),
        benchmark=_flag(row, "is_benchmark"),
        user_rating=problems.stars({"user_rating": _number(row, "user_rating")}, "user_rating", 1),
        name=problems.text(row, "name"),
        method=problems.text(row, "method"),
        holds=_holds(row),
    )


def _holds(row: dict[str, Any]) -> list[tuple[str, str]]:
    """The holds with their roles, which are unknown when the row names neither start nor finish."""
    start, finish = _cells(row, "start_holds"), _cells(row, "finish_holds")
    rest = "move" if start or finish else "unknown"
    roles = dict.fromkeys(_cells(row, "holds"), rest) | dict.fromkeys(finish, "finish") | dict.fromkeys(start, "start")
    return problems.some(list(roles.items()))


def _cells(row: dict[str, Any], key: str) -> list[str]:
    return [problems.cell(each) for each in re.split(r"[\s,;]+", row.get(key) or "") if each]


def _number(row: dict[str, Any], key: str) -> float | None:
    """A number, None when there is none; raises UnusableError."""
    written = row.get(key) or ""
    try:
        return float(written) if written else None
    except ValueError:
        raise problems.UnusableError(f"`{key}` is {written!r:.40}") from None


def _repeats(row: dict[str, Any]) -> int | None:
    number = _number(row, "repeats")
    if number is None:
        return None
    if not number.is_integer():
        raise problems.UnusableError(f"`repeats` is {number:g}")
    return problems.count({"repeats": int(number)}, "repeats")


def _flag(row: dict[str, Any], key: str) -> bool:
    written = (row.get(key) or "").lower()
    if written not in TRUE | FALSE:
        raise problems.UnusableError(f"`{key}` is {written!r:.40}")
    return written in TRUE
