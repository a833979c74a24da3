"""How routes are climbed, generated against real: lengths of moves, where they start, how the top is reached.

What is compared is a distribution over routes; the distance is Wasserstein's (the earth mover's), in the measure's own
unit, which for one dimension is the area between two cumulative distributions (Vallender 1974). Two samples of the same
routes are not at distance 0 either: told besides is what is left beyond chance, and of training routes, which are real.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.domains.climb import definitions
from winnow.domains.climb.evaluation.usage import divergence_of_use
from winnow.domains.climb.model.features import move_lengths
from winnow.domains.climb.model.sequences import BOARDS, Sequences, membership
from winnow.judge.intervals import (
    Counts,
    Distance,
    beyond_chance,
    bootstrap,
    difference,
    mean,
    on_rows,
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
    moves = move_lengths(routes)
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
        sizes = len(found[1]), len(real[1])
        for name, apart in beyond_chance(_distances(found, real), sizes, rng=rng, **options.model_dump()).items():
            row = {"measure": name, "origin": origin, "distance": apart.distance, "beyond_chance": apart.beyond_chance}
            rows.append(row | {"low": apart.interval.low, "high": apart.interval.high})
    return pd.DataFrame(rows).astype({"measure": "str", "origin": "str"})


def longest_by_grade(
    made: Sequences, real: Sequences, options: Bootstrap, rng: np.random.Generator
) -> dict[str, dict[str, Any]]:
    """{grade: {generated, real, difference, real_routes}}: mean longest moves in cells, easiest grade first.

    `difference` is {value, low, high}, bounded over routes. A grade with fewer than `FEWEST` of either is left out.
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
        generated, measured = float(moves[drawn].mean()), float(moves[~drawn].mean())
        found[grade] = {
            "generated": generated,
            "real": measured,
            "difference": {"value": generated - measured, "low": bounds.low, "high": bounds.high},
            "real_routes": int((~drawn).sum()),
        }
    return found


def told(found: pd.DataFrame) -> dict[str, dict[str, dict[str, Any]]]:
    """`MoveDistances` as {origin: {measure: {distance, beyond_chance: {value, low, high}}}}."""
    figures: dict[str, dict[str, dict[str, Any]]] = {}
    names = ["distance", "beyond_chance", "low", "high"]
    for measure, origin, *numbers in found[["measure", "origin", *names]].itertuples(index=False):
        distance, value, low, high = map(float, numbers)
        beyond = {"value": value, "low": low, "high": high}
        figures.setdefault(str(origin), {})[str(measure)] = {"distance": distance, "beyond_chance": beyond}
    return figures


def _distances(first: tuple[Sequences, Floats], second: tuple[Sequences, Floats]) -> dict[str, Distance]:
    """Each measure's distance between two samples of all routes, those of `first` and then those of `second`."""
    measured = [route_measures(routes) for routes, _ in (first, second)]
    weights = np.concatenate([first[1], second[1]])
    distances: dict[str, Distance] = {}
    for name in MEASURES:
        points = np.unique(np.concatenate([each[name].ravel() for each in measured]).round(6))
        points = points[np.isfinite(points)]
        table = np.concatenate([_table(each[name], points) for each in measured]) * weights[:, None]

        def wasserstein(one: Counts, other: Counts, table: Floats = table, points: Floats = points) -> Floats:
            cumulative = [_normalised(counts @ table).cumsum(axis=1) for counts in (one, other)]
            apart = np.abs(cumulative[0] - cumulative[1])[:, :-1]
            return np.asarray(apart @ np.diff(points), dtype=np.float64)

        distances[name] = wasserstein
    return distances | {USAGE: _usage_divergence(first, second)}


def _usage_divergence(first: tuple[Sequences, Floats], second: tuple[Sequences, Floats]) -> Distance:
    """`divergence_of_use` as a distance, over boards by the second sample's routes.

    The samples are of all routes, those of `first` and then those of `second`.
    """
    shape = (len(BOARDS), definitions.CELLS)
    parts = (first, second)
    on_board = np.concatenate(
        [np.eye(len(BOARDS))[routes.conditions[:, 0]] * weight[:, None] for routes, weight in parts]
    )
    held = np.concatenate([membership(routes) for routes, _ in parts])
    used = (on_board[:, :, None] * held[:, None]).reshape(len(held), -1)

    def divergence(one: Counts, other: Counts) -> Floats:
        first_use, second_use = ((counts @ used).reshape(len(counts), *shape) for counts in (one, other))
        return divergence_of_use(first_use, second_use, other @ on_board)

    return divergence


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
