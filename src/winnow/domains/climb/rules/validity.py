"""What makes a route impossible, for real and for generated routes alike."""

import numpy as np
import pandas as pd

from winnow.domains.climb import definitions

WIDTH = len(definitions.COLUMNS)


def broken_rules(routes: pd.DataFrame, holds: pd.DataFrame, *, min_holds: int, max_holds: int) -> pd.DataFrame:
    """Which rules each route breaks: one boolean column per rule, indexed by route_id in the order of `routes`.

    `routes` has route_id and board; `holds` has route_id, hold and role. A route without any hold has too few.
    Start and finish are judged where a source gives roles; `unknown` ones count as possible.
    """
    board = routes.set_index("route_id")["board"]
    number = holds["route_id"].value_counts().reindex(board.index, fill_value=0)
    known = _any(holds, holds["role"] != "unknown", board.index)
    return pd.DataFrame(
        {
            "hold_off_board": _any(holds, _off_board(holds, board), board.index),
            "too_few_holds": number < min_holds,
            "too_many_holds": number > max_holds,
            "no_start": known & ~_any(holds, holds["role"] == "start", board.index),
            "no_finish": known & ~_any(holds, holds["role"] == "finish", board.index),
        }
    )


def broken_rules_of_generated(
    routes: pd.DataFrame, holds: pd.DataFrame, *, min_holds: int, max_holds: int, max_reach: float
) -> pd.DataFrame:
    """`broken_rules`, and two that only a model can break: a hold used twice, and a move longer than `max_reach` cells.

    `holds` has position as well, in token order.
    """
    index = pd.Index(routes["route_id"])
    broken = broken_rules(routes, holds, min_holds=min_holds, max_holds=max_holds)
    broken["repeated_hold"] = _any(holds, holds.duplicated(["route_id", "hold"]), index)
    broken["out_of_reach"] = longest_moves(holds).reindex(index, fill_value=0.0) > max_reach
    return broken


def longest_moves(holds: pd.DataFrame) -> "pd.Series[float]":
    """The reach each route needs, in cells, indexed by route_id; 0 of a single hold.

    Each hold is reached from the nearest one before it. Holds that are no cells count as not there. In the real files
    50% of the routes need 5.0 cells, 99% need 9.1, 99.5% need 9.5.
    """
    cells = holds.assign(cell=holds["hold"].map(definitions.CELL_INDEX)).dropna(subset="cell")
    cells = cells.sort_values(["route_id", "position"])
    row, column = np.divmod(cells["cell"].to_numpy(dtype=int), WIDTH)
    route, names = pd.factorize(cells["route_id"])
    order = cells.groupby("route_id").cumcount().to_numpy()
    nearest = np.full(len(cells), np.inf)
    for back in range(1, int(order.max(initial=0)) + 1):
        here = np.flatnonzero(order >= back)
        apart = np.hypot(row[here] - row[here - back], column[here] - column[here - back])
        nearest[here] = np.minimum(nearest[here], apart)
    nearest[order == 0] = 0
    return pd.Series(nearest).groupby(route).max().set_axis(pd.Index(names, name="route_id")).astype(float)


def _off_board(holds: pd.DataFrame, board: "pd.Series[str]") -> "pd.Series[bool]":
    """Marks holds that are no cell of their route's board."""
    cells = {name: known.rows * WIDTH for name, known in definitions.BOARDS.items()}
    cell = holds["hold"].map(definitions.CELL_INDEX).astype(float)
    return ~(cell < holds["route_id"].map(board).map(cells).astype(float))


def _any(holds: pd.DataFrame, mark: "pd.Series[bool]", index: pd.Index) -> "pd.Series[bool]":
    """Which routes have a marked hold."""
    return pd.Series(index.isin(holds.loc[mark, "route_id"].unique()), index=index)
