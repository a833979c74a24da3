"""Routes as arrays: what every model of them, network or n-gram, reads."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.domains.climb import definitions
from winnow.measure.sets import nearest_distances

END = definitions.CELLS
"""Token after the last hold; it is predicted, and so counts in the loss."""

START = definitions.CELLS + 1
"""The token before the first hold, and the padding of short routes; it is never predicted."""

VOCABULARY = definitions.CELLS + 1
"""Tokens that may be predicted: the cells and the end."""

BOARDS = tuple(definitions.BOARDS)

ANY_GRADE = len(definitions.GRADES)
"""Grade index of a route without a given grade."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Sequences:
    """Routes, one a row."""

    ids: tuple[str, ...]
    tokens: Integers
    """(routes, positions): cells bottom up, END, then START as filling"""
    conditions: Integers
    """(routes, 3): indices of board, angle and grade"""

    @property
    def lengths(self) -> Integers:
        """(routes,) tokens to predict: the holds and the end."""
        return np.asarray((self.tokens != START).sum(axis=1), dtype=np.int64)

    def rows(self, chosen: NDArray[np.bool_]) -> "Sequences":
        """The routes that a (routes,) mask chooses."""
        ids = tuple(name for name, take in zip(self.ids, chosen, strict=True) if take)
        return Sequences(ids, self.tokens[chosen], self.conditions[chosen])


def encode(labels: pd.DataFrame, tokens: pd.DataFrame) -> Sequences:
    """The routes of a `Labels` table in its order, with their holds from a `Tokens` table; every route has holds."""
    order = pd.Series(np.arange(len(labels)), index=labels["route_id"])
    mine = tokens[tokens["route_id"].isin(order.index)]
    rows, positions = order[mine["route_id"]].to_numpy(), mine["position"].to_numpy()
    lengths = np.bincount(rows, minlength=len(labels))
    padded = np.full((len(labels), int(lengths.max(initial=0)) + 1), START, dtype=np.int64)
    padded[rows, positions] = mine["token"].to_numpy()
    padded[np.arange(len(labels)), lengths] = END
    return Sequences(tuple(labels["route_id"]), padded, conditions(labels))


def conditions(labels: pd.DataFrame) -> Integers:
    """(routes, 3) indices of board, angle and grade, from the columns board, angle and grade_index."""
    board = labels["board"].map({name: index for index, name in enumerate(BOARDS)})
    angle = labels["angle"].map({angle: index for index, angle in enumerate(definitions.ANGLES)})
    return np.stack([board, angle, labels["grade_index"]], axis=1).astype(np.int64)


def previous(tokens: Integers) -> Integers:
    """The token before each token, START before the first; END, after which nothing is predicted, becomes START."""
    before = np.concatenate([np.full((len(tokens), 1), START, dtype=np.int64), tokens[:, :-1]], axis=1)
    return np.where(before == END, START, before)


def membership(sequences: Sequences) -> NDArray[np.bool_]:
    """(routes, cells): which cells each route holds."""
    held = np.zeros((len(sequences.tokens), definitions.CELLS), dtype=bool)
    rows, positions = np.nonzero(sequences.tokens < definitions.CELLS)
    held[rows, sequences.tokens[rows, positions]] = True
    return held


def known_holds(sequences: Sequences) -> NDArray[np.bool_]:
    """(boards, cells): cells that a route uses, and where there is therefore a hold on the wall."""
    held = membership(sequences)
    return np.stack([held[sequences.conditions[:, 0] == board].any(axis=0) for board in range(len(BOARDS))])


def holds_of(sequences: Sequences) -> pd.DataFrame:
    """The `Holds` of routes, roles inferred."""
    routes, positions = np.nonzero(sequences.tokens < definitions.CELLS)
    names = np.array(sequences.ids, dtype=object)[routes]
    cells = pd.DataFrame({"route_id": names, "position": positions, "cell": sequences.tokens[routes, positions]})
    boards = {name: BOARDS[board] for name, board in zip(sequences.ids, sequences.conditions[:, 0], strict=True)}
    return with_roles(cells, boards)


def with_roles(cells: pd.DataFrame, boards: dict[str, str]) -> pd.DataFrame:
    """`Holds` from route_id, position and cell in token order."""
    grouped = cells.groupby("route_id", sort=False)["cell"]
    roles = [role for name, part in grouped for role in definitions.infer_roles(list(part), boards[str(name)])]
    holds = cells.assign(hold=cells["cell"].map(definitions.cell_name), role=roles)
    kinds = {"route_id": "str", "position": "int64", "hold": "str", "role": "str"}
    return holds[list(kinds)].astype(kinds).reset_index(drop=True)


def train_distances(sequences: Sequences, train: Sequences) -> Floats:
    """(routes,) Jaccard distance to the nearest training route on the same board; 1 where it has none."""
    held, reference = membership(sequences), membership(train)
    distances = np.ones(len(held))
    for board in np.unique(sequences.conditions[:, 0]):
        here, there = sequences.conditions[:, 0] == board, train.conditions[:, 0] == board
        if there.any():
            distances[here] = nearest_distances(held[here], reference[there])
    return distances
