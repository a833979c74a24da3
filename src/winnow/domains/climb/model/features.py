"""Features for the grade judge: the holds of a route, their distances, and the difficulty of such holds so far."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from winnow.domains.climb import definitions
from winnow.domains.climb.model.sequences import BOARDS, Sequences

Floats = NDArray[np.float64]


def hold_columns(sequences: Sequences) -> csr_matrix:
    """(routes, boards × cells) sparse 0/1: a hold of one board has nothing to do with the same cell of another."""
    routes, positions = np.nonzero(sequences.tokens < definitions.CELLS)
    columns = sequences.conditions[routes, 0] * definitions.CELLS + sequences.tokens[routes, positions]
    shape = (len(sequences.tokens), len(BOARDS) * definitions.CELLS)
    return csr_matrix((np.ones(len(routes)), (routes, columns)), shape=shape)


def hold_difficulty(sequences: Sequences, difficulty: Floats) -> Floats:
    """(routes, 6): lowest, highest, second highest, mean, sum and spread of the holds' (boards × cells,) difficulty."""
    held = sequences.tokens < definitions.CELLS
    at = sequences.conditions[:, :1] * definitions.CELLS + np.where(held, sequences.tokens, 0)
    values = np.where(held, difficulty[at], np.nan)
    ordered = np.sort(values, axis=1)  # nan last
    last = held.sum(axis=1) - 1
    row = np.arange(len(values))
    return np.stack(
        [
            ordered[:, 0],
            ordered[row, last],
            ordered[row, np.maximum(last - 1, 0)],
            np.nanmean(values, axis=1),
            np.nansum(values, axis=1),
            np.nanstd(values, axis=1),
        ],
        axis=1,
    )


def geometry(sequences: Sequences) -> Floats:
    """(routes, features): number of holds, moves, steps up and across, spread, height, angle and board.

    A move leads to a hold from the nearest one before it; routes have two holds or more.
    """
    held = sequences.tokens < definitions.CELLS
    rows, columns = (np.where(held, part, np.nan) for part in np.divmod(sequences.tokens, len(definitions.COLUMNS)))
    count = held.sum(axis=1)
    row = np.arange(len(held))
    moves, wide = _moves(rows, columns)
    up, across = np.diff(rows, axis=1), np.abs(np.diff(columns, axis=1))
    return np.stack(
        [
            count,
            rows[:, 0],
            rows[:, 1],
            rows[row, count - 2],
            np.nanmax(moves, axis=1),
            np.nanmean(moves, axis=1),
            np.nanstd(moves, axis=1),
            np.nanmax(wide, axis=1),
            np.nanmean(wide, axis=1),
            np.nanmax(up, axis=1),
            np.nanmean(up, axis=1),
            np.nanstd(up, axis=1),
            np.nanmax(across, axis=1),
            np.nanmean(across, axis=1),
            np.nanmax(columns, axis=1) - np.nanmin(columns, axis=1),
            np.nanmean(columns, axis=1),
            np.nanstd(columns, axis=1),
            columns[:, 0],
            columns[row, count - 1],
            (rows < definitions.START_ROWS).sum(axis=1),
            sequences.conditions[:, 1],
            *(sequences.conditions[:, 0] == board for board in range(len(BOARDS))),
        ],
        axis=1,
    ).astype(np.float64)


def shape_and_holds(sequences: Sequences) -> Floats:
    """(routes, features): `geometry` and `hold_columns` side by side."""
    return np.column_stack([geometry(sequences), hold_columns(sequences).toarray()])


def move_lengths(sequences: Sequences) -> Floats:
    """(routes, positions - 1): distance in cells of each hold after the first from the nearest lower one, else NaN."""
    held = sequences.tokens < definitions.CELLS
    rows, columns = (np.where(held, part, np.nan) for part in np.divmod(sequences.tokens, len(definitions.COLUMNS)))
    return _moves(rows, columns)[0]


def _moves(rows: Floats, columns: Floats) -> tuple[Floats, Floats]:
    """(routes, positions - 1) distance of each hold after the first to the nearest and second nearest lower hold."""
    apart = np.hypot(rows[:, :, None] - rows[:, None, :], columns[:, :, None] - columns[:, None, :])
    apart[:, np.triu(np.ones(apart.shape[1:], dtype=bool))] = np.inf
    ordered = np.sort(np.where(np.isnan(apart), np.inf, apart), axis=2)[:, 1:]
    nearest = np.where(np.isinf(ordered[..., 0]), np.nan, ordered[..., 0])
    second = np.where(np.isinf(ordered[..., 1]), nearest, ordered[..., 1])
    return nearest, second
