"""Routes that other people's models made: `{"<model>": [{"moves": ["E6", …]}, …]}`, holds in climbing order."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from winnow.domains.climb import definitions
from winnow.domains.climb.source import problems
from winnow.pipeline.errors import SourceError

COLUMNS = {"peer": "str", "route_id": "str", "board": "str", "position": "int64", "hold": "str"}
TAKEN = ("model", "test")
"""What evaluate's tables call the trained model's routes and the test routes."""


def read(files: Sequence[tuple[Path, str]]) -> pd.DataFrame:
    """The `PeerHolds` of files and the boards they are for; raises SourceError at the first unusable route.

    A model may have routes in several files: they are numbered on.
    """
    flat: list[tuple[str, str, str, int, str]] = []
    read_so_far: Counter[str] = Counter()
    for path, board in files:
        for peer, routes in _models(path).items():
            for row, route in enumerate(routes, 1):
                read_so_far[peer] += 1
                route_id = f"{peer}-{read_so_far[peer]:04d}"
                holds = _holds(route, f"{path}: {peer}, row {row}")
                flat += [(peer, route_id, board, position, hold) for position, hold in enumerate(holds)]
    return pd.DataFrame(flat, columns=list(COLUMNS)).astype(COLUMNS)


def _models(path: Path) -> dict[str, list[Any]]:
    document = problems.read_json(path)
    if not isinstance(document, dict) or not all(isinstance(routes, list) for routes in document.values()):
        raise SourceError(
            f"{path} is no file of generated routes",
            where="climb.ingest.peers",
            fix='write it as {"<model>": [{"moves": ["E6", …]}, …]}',
        )
    for name in TAKEN:
        if name in document:
            raise SourceError(
                f"{path} names a model `{name}`, as the evaluation calls routes of its own",
                where="climb.ingest.peers",
                fix="rename that model in the file",
            )
    return document


def _holds(route: Any, where: str) -> list[str]:
    """The holds; a start hold listed twice in a row is held by both hands and counts once."""
    try:
        if not isinstance(route, dict):
            raise problems.UnusableError(f"the route is a {type(route).__name__}, not an object")
        listed = problems.some([(problems.cell(hold), "unknown") for hold in problems.need(route, "moves", list)])
    except problems.UnusableError as reason:
        raise SourceError(str(reason), where=where, fix="correct or remove this route") from None
    holds = [hold for hold, _ in listed]
    return [
        hold
        for position, hold in enumerate(holds)
        if position == 0 or hold != holds[position - 1] or not _in_start_rows(hold)
    ]


def _in_start_rows(hold: str) -> bool:
    return hold in definitions.CELL_INDEX and definitions.row_of(definitions.CELL_INDEX[hold]) <= definitions.START_ROWS
