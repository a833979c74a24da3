"""How routes are climbed, generated against real: lengths of moves, where they start, how the top is reached.

What is compared is a distribution over routes; the distance is Wasserstein's (the earth mover's), in the measure's own
unit, which for one dimension is the area between two cumulative distributions (Vallender 1974). Two samples of the same
routes are not at distance 0 either: told besides is what is left beyond chance, and of training routes, which are real.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.domains.climb import definitions
from winnow.domains.climb.model.features import reaches
from winnow.domains.climb.model.sequences import BOARDS, Sequences, membership
from winnow.judge.intervals import (
    Counts,
    Statistic,
    beyond_chance,
    bootstrap,
    defined,
    difference,
    mean,
    on_rows,
    values,
)
from winnow.judge.settings import Bootstrap

Floats = NDArray[np.float64]

USAGE = "hold_usage"
MEASURES = ("consecutive_distance", "longest_move", "start_height", "finish_approach", "number_of_holds")
"""In cells, rows or holds; `USAGE` is compared besides, in bits."""
FEWEST = 20
"""Generated and real routes of a grade below which its moves are not compared."""


def route_measures(routes: Sequences) -> dict[str, Floats]:
    """Of each route its values of every measure, (routes, values), NaN where it has fewer.

    consecutive_distance: between holds that follow each other bottom up, in cells; longest_move: the reach that the
    route needs, in cells; start_height: rows of the start holds, as `definitions.infer_roles` names them;
    finish_approach: from each finish hold to the nearest hold below the top row, in cells; number_of_holds.
    """
    held = routes.tokens < definitions.CELLS
    rows, columns = (np.where(held, part, np.nan) for part in np.divmod(routes.tokens, len(definitions.COLUMNS)))
    rows = rows + 1
    tops = np.array([definitions.BOARDS[board].rows for board in BOARDS])[routes.conditions[:, 0], None]
    starts = np.where((rows <= definitions.START_ROWS) & (rows < tops), rows, np.nan)[:, : definitions.MAX_STARTS]
    apart = np.hypot(rows[:, :, None] - rows[:, None, :], columns[:, :, None] - columns[:, None, :])
    below = np.where((rows < tops)[:, None, :], apart, np.inf).min(axis=2)
    moves = reaches(routes)
    return {
        "consecutive_distance": np.hypot(np.diff(rows, axis=1), np.diff(columns, axis=1)),
        "longest_move": np.nanmax(moves, axis=1, keepdims=True, initial=0.0),
        "start_height": starts,
        "finish_approach": np.where((rows == tops) & np.isfinite(below), below, np.nan),
        "number_of_holds": held.sum(axis=1, keepdims=True).astype(np.float64),
    }


def shares(collections: Mapping[str, tuple[Sequences, Floats]]) -> pd.DataFrame:
    """The columns of `MoveShares`: how often each value occurs among routes with their (routes,) weights."""
    parts = []
    for origin, (routes, weights) in collections.items():
        for measure, found in route_measures(routes).items():
            of_route, place = np.nonzero(np.isfinite(found))
            total = pd.Series(weights[of_route]).groupby(found[of_route, place].round(6)).sum()
            row = {"measure": measure, "origin": origin, "value": total.index, "share": total / total.sum()}
            parts.append(pd.DataFrame(row).reset_index(drop=True))
    return pd.concat(parts, ignore_index=True).astype({"measure": "str", "origin": "str"})


def distances(
    collections: Mapping[str, tuple[Sequences, Floats]],
    real: tuple[Sequences, Floats],
    options: Bootstrap,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """The columns of `MoveDistances`: of each collection from the `real` routes, with intervals over routes.

    Without the use of holds where no board is common to both.
    """
    rows = []
    for origin, found in collections.items():
        count = len(found[1]) + len(real[1])
        statistics = defined(_statistics(found, real), count)
        measured = values(statistics, count)
        for name, (beyond, interval) in beyond_chance(statistics, count, rng=rng, **options.model_dump()).items():
            row = {"measure": name, "origin": origin, "distance": measured[name], "beyond_chance": beyond}
            rows.append(row | {"low": interval.low, "high": interval.high})
    return pd.DataFrame(rows).astype({"measure": "str", "origin": "str"})


def longest_by_grade(
    made: Sequences, real: Sequences, options: Bootstrap, rng: np.random.Generator
) -> dict[str, dict[str, float]]:
    """Mean longest move in cells of each grade's generated routes and of its real ones, easiest first.

    `low` and `high` bound the difference, over routes. A grade with fewer than `FEWEST` of either is left out.
    """
    longest = np.concatenate([route_measures(routes)["longest_move"][:, 0] for routes in (made, real)])
    of_grade = np.concatenate([routes.conditions[:, 2] for routes in (made, real)])
    is_made = np.arange(len(longest)) < len(made.ids)
    found = {}
    for index, grade in enumerate(definitions.GRADES):
        moves, drawn = longest[of_grade == index], is_made[of_grade == index]
        if min(drawn.sum(), (~drawn).sum()) < FEWEST:
            continue
        apart = difference(on_rows(mean(moves[drawn]), drawn), on_rows(mean(moves[~drawn]), ~drawn))
        bounds = bootstrap({grade: apart}, len(moves), rng=rng, **options.model_dump())[grade]
        means = {"generated": float(moves[drawn].mean()), "real": float(moves[~drawn].mean())}
        found[grade] = {**means, "low": bounds.low, "high": bounds.high, "real_routes": int((~drawn).sum())}
    return found


def told(found: pd.DataFrame) -> dict[str, dict[str, dict[str, float]]]:
    """`MoveDistances` as {origin: {measure: {distance, beyond_chance, low, high}}}."""
    figures: dict[str, dict[str, dict[str, float]]] = {}
    names = ["distance", "beyond_chance", "low", "high"]
    for measure, origin, *numbers in found[["measure", "origin", *names]].itertuples(index=False):
        of_origin = figures.setdefault(str(origin), {})
        of_origin[str(measure)] = dict(zip(names, map(float, numbers), strict=True))
    return figures


def _statistics(first: tuple[Sequences, Floats], second: tuple[Sequences, Floats]) -> dict[str, Statistic]:
    """Each measure's distance as a function of resampled rows: those of `first`, then those of `second`."""
    measured = [route_measures(routes) for routes, _ in (first, second)]
    weights, count = (first[1], second[1]), len(first[1])
    statistics: dict[str, Statistic] = {}
    for name in MEASURES:
        points = np.unique(np.concatenate([each[name].ravel() for each in measured]).round(6))
        points = points[np.isfinite(points)]
        tables = [_table(each[name], points) * weight[:, None] for each, weight in zip(measured, weights, strict=True)]

        def wasserstein(counts: Counts, tables: list[Floats] = tables, points: Floats = points) -> Floats:
            cumulative = [_normalised(part @ table).cumsum(axis=1) for part, table in _sides(counts, tables, count)]
            apart = np.abs(cumulative[0] - cumulative[1])[:, :-1]
            return np.asarray(apart @ np.diff(points), dtype=np.float64)

        statistics[name] = wasserstein
    return statistics | {USAGE: _usage_divergence(first, second)}


def _usage_divergence(first: tuple[Sequences, Floats], second: tuple[Sequences, Floats]) -> Statistic:
    """Jensen and Shannon's divergence in bits of the use of holds, the mean over boards by `second`'s routes."""
    shape = (len(BOARDS), definitions.CELLS)
    on_board = [np.eye(len(BOARDS))[routes.conditions[:, 0]] * weight[:, None] for routes, weight in (first, second)]
    used = [
        (board[:, :, None] * membership(routes)[:, None]).reshape(len(board), -1)
        for board, (routes, _) in zip(on_board, (first, second), strict=True)
    ]

    def divergence(counts: Counts) -> Floats:
        sides: list[Floats] = [part @ table for part, table in _sides(counts, used, len(first[1]))]
        here = [_normalised(each.reshape(len(counts), *shape)) for each in sides]
        apart: Floats = _entropy((here[0] + here[1]) / 2) - (_entropy(here[0]) + _entropy(here[1])) / 2
        both = (here[0].sum(axis=-1) > 0) & (here[1].sum(axis=-1) > 0)
        there = both * (counts[:, len(first[1]) :] @ on_board[1])
        total = there.sum(axis=1)
        mean: Floats = np.divide((apart * there).sum(axis=1), total, out=np.full(len(counts), np.nan), where=total > 0)
        return mean

    return divergence


def _sides(counts: Counts, tables: list[Floats], count: int) -> list[tuple[Counts, Floats]]:
    return [(counts[:, :count], tables[0]), (counts[:, count:], tables[1])]


def _table(found: Floats, points: Floats) -> Floats:
    """(routes, points): how many of a route's values are each of the sorted points."""
    table = np.zeros((len(found), len(points)))
    of_route, place = np.nonzero(np.isfinite(found))
    np.add.at(table, (of_route, np.searchsorted(points, found[of_route, place].round(6))), 1.0)
    return table


def _normalised(parts: Floats) -> Floats:
    """Shares along the last axis, 0 where there is nothing."""
    total = parts.sum(axis=-1, keepdims=True)
    shared: Floats = np.divide(parts, total, out=np.zeros_like(parts, dtype=np.float64), where=total > 0)
    return shared


def _entropy(shares_of: Floats) -> Floats:
    """In bits, along the last axis."""
    logarithms = np.log2(shares_of, out=np.zeros_like(shares_of), where=shares_of > 0)
    return np.asarray(-(shares_of * logarithms).sum(axis=-1), dtype=np.float64)
