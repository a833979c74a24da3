"""What every source format is read into, and how its rows are checked one by one."""

import itertools
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pandas as pd

from winnow.domains.climb import definitions
from winnow.pipeline.errors import SourceError
from winnow.pipeline.reading import read_packed, reading

T = TypeVar("T")

ROLES = ("start", "finish", "move", "unknown")
"""The role that wins, first to last, when a row lists a hold twice."""

SIGNS = {"guidebook": "mb_type", "app": "moonBoardConfigurationId", "web": "MoonBoardConfiguration", "minimal": "Moves"}
"""A field by which a format is known."""


class Problem(NamedTuple):
    """One usable row of a source. A field that the source does not have is None."""

    board: str
    angle: int
    grade: str | None
    repeats: int | None
    benchmark: bool
    user_rating: float | None
    name: str | None
    method: str | None
    holds: list[tuple[str, str]]
    """(cell, role), in any order"""


class Problems(NamedTuple):
    """The rows of one source file; `row` counts its entries from 1, of a table its lines with the header."""

    routes: pd.DataFrame
    """row, board, angle, grade, repeats, benchmark, user_rating, name, method"""
    holds: pd.DataFrame
    """row, hold, role; no hold twice in a row"""
    rejected: pd.DataFrame
    """row, reason"""


class UnusableError(Exception):
    """A row that cannot be used; the message is the reason."""


def read_json(path: Path) -> Any:
    """The content of a .json or .json.gz file; raises SourceError when it is broken."""
    fix = "it may be cut off: download or export it again; it must be UTF-8, and gzip if its name ends in .gz"
    with reading(path, "is not valid JSON", fix=fix):
        return json.loads(read_packed(path, fix=fix))


def rows_of(document: Any, *, under: str | None, sign: str, path: Path) -> list[Any]:
    """The list of rows in `document`: itself, or the value of a key; raises SourceError for another format.

    `sign` is a field that rows of the expected format have; a file of which no row has it is of another format.
    """
    rows = document.get(under) if isinstance(document, dict) and under else document
    shape = f'{{"{under}": [{{"{sign}": …}}, …]}}' if under else f'[{{"{sign}": …}}, …]'
    if not isinstance(rows, list):
        raise SourceError(f"{path} is not of its `format`: {shape} was expected", fix=_guess(document))
    if rows and not any(isinstance(row, dict) and sign in row for row in rows):
        raise SourceError(f"{path} is not of its `format`: no row has `{sign}`", fix=_guess(document))
    return rows


def looks_like(document: Any) -> str | None:
    """The format that a file's content is of, by its first row; None when it is no known one."""
    lists = document.values() if isinstance(document, dict) else [document]
    first = next((rows[0] for rows in lists if isinstance(rows, list) and rows), None)
    return next((name for name, sign in SIGNS.items() if isinstance(first, dict) and sign in first), None)


def _guess(document: Any) -> str:
    """What the file looks like instead."""
    likely = looks_like(document)
    if likely:
        return f"it looks like `{likely}`: write `format: {likely}` in climb.ingest.sources"
    return "data/source/climb/README.md shows each format; name the right one in climb.ingest.sources"


def collect(
    rows: Iterable[Any], parse: Callable[[dict[str, Any]], Problem], numbers: Iterable[int] | None = None
) -> Problems:
    """Parse each row; what cannot be parsed goes to `rejected` with the reason. `numbers`: the rows', else from 1."""
    usable: list[tuple[int, Problem]] = []
    rejected: list[tuple[int, str]] = []
    for number, row in zip(numbers or itertools.count(1), rows, strict=False):
        try:
            if not isinstance(row, dict):
                raise UnusableError(f"the row is a {type(row).__name__}, not an object")
            usable.append((number, parse(row)))
        except UnusableError as reason:
            rejected.append((number, str(reason)))
    return to_problems(usable, rejected)


def to_problems(usable: list[tuple[int, Problem]], rejected: list[tuple[int, str]]) -> Problems:
    """The tables of numbered problems."""
    columns = ["row", *Problem._fields[:-1]]
    routes = pd.DataFrame([(number, *problem[:-1]) for number, problem in usable], columns=columns).astype(
        {"row": "int64", "board": "str", "angle": "int64", "grade": "str", "repeats": "Int64", "benchmark": "bool"}
        | {"user_rating": "float64", "name": "str", "method": "str"}
    )
    flat = [(number, hold, role) for number, problem in usable for hold, role in problem.holds]
    holds = pd.DataFrame(flat, columns=["row", "hold", "role"])
    holds["rank"] = holds["role"].map({role: rank for rank, role in enumerate(ROLES)})
    holds = holds.sort_values(["row", "rank"], kind="stable").drop_duplicates(["row", "hold"])
    return Problems(
        routes,
        holds[["row", "hold", "role"]].astype({"row": "int64", "hold": "str", "role": "str"}).reset_index(drop=True),
        pd.DataFrame(rejected, columns=["row", "reason"]).astype({"row": "int64", "reason": "str"}),
    )


def need(row: dict[str, Any], key: str, kind: type | tuple[type, ...]) -> Any:
    """`row[key]`, if it is there and of this type; raises UnusableError."""
    if key not in row:
        raise UnusableError(f"`{key}` is missing")
    value = row[key]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise UnusableError(f"`{key}` is {value!r:.40}")
    return value


def count(row: dict[str, Any], key: str) -> int:
    """A number of ascents; raises UnusableError."""
    value: int = need(row, key, int)
    if not 0 <= value < 2**31:
        raise UnusableError(f"`{key}` is {str(value)[:20]}")
    return value


def stars(row: dict[str, Any], key: str, most: int) -> float | None:
    """A user rating as a share of the best one, None if there is none; raises UnusableError."""
    if row.get(key) is None:
        return None
    value = need(row, key, (int, float))
    if not 0 <= value <= most:  # before it is a float: JSON's whole numbers have no largest one
        raise UnusableError(f"`{key}` is {_few(value)}: 0 to {most} stars are expected")
    return float(value) / most


def _few(value: float) -> str:
    return str(value)[:20] if isinstance(value, int) else f"{value:g}"


def text(row: dict[str, Any], key: str) -> str | None:
    """A text, None if it is missing or empty; raises UnusableError."""
    return None if row.get(key) is None else _characters(need(row, key, str)) or None


def grade(row: dict[str, Any], key: str) -> str | None:
    """A Font grade; None if it is unknown, which is for the filter; raises UnusableError when it is no text."""
    written = text(row, key)
    return None if written is None else definitions.parse_grade(written)


def cell(written: Any) -> str:
    """A hold's cell as we write it (an impossible one is for the filter); raises UnusableError if it is no text."""
    if not isinstance(written, str) or not written.strip():
        raise UnusableError(f"a hold is {written!r:.40}")
    return _characters(written).upper()


def _characters(written: str) -> str:
    """Without blanks around it; raises UnusableError for what JSON may escape and no file can hold."""
    try:
        written.encode()
    except UnicodeEncodeError:
        raise UnusableError("it holds half of a surrogate pair, which is no character") from None
    return written.strip()


def moves(row: dict[str, Any], key: str, names: tuple[str, str, str]) -> list[tuple[str, str]]:
    """(cell, role) of a list of move objects; `names` are for cell, start and finish. Raises UnusableError."""
    where, is_start, is_end = names
    found = []
    for move in need(row, key, list):
        if not isinstance(move, dict):
            raise UnusableError(f"a move is {move!r:.40}")
        role = "start" if need(move, is_start, bool) else "finish" if need(move, is_end, bool) else "move"
        found.append((cell(move.get(where)), role))
    return some(found)


def some(holds: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """`holds`, if there is any; raises UnusableError."""
    if not holds:
        raise UnusableError("no moves")
    return holds


def angle_on(board: str, angle: int) -> int:
    """`angle`; raises UnusableError where the board has it not."""
    if angle not in definitions.BOARDS[board].angles:
        has = " or ".join(f"{each}°" for each in definitions.BOARDS[board].angles)
        raise UnusableError(f"board {board} is set at {has} only, not at {angle}°")
    return angle


def one_of(known: dict[int, T], value: Any, what: str) -> T:
    """The board or angle that a site's number means; raises UnusableError."""
    if not isinstance(value, int) or isinstance(value, bool) or value not in known:
        raise UnusableError(f"unknown {what}: {value!r:.40}")
    return known[value]
