"""The embedded data: synthetic problems with a learnable relation, made without downloads or files.

A problem climbs one board hand over hand: each hold is drawn near a target that lies one stride up and, by turns, to
the left and to the right. Holds differ in how good and how popular they are, board by board. How hard a problem is
depends on its reach, on how good its holds are and on the angle; the grade is its rank in difficulty, with noise, cut
at fixed shares. It follows the geometry about as closely as in the real files, see
benchmarks/climb/README.md. Easy problems are repeated more, and repeats are heavy-tailed (log-normal).
"""

import numpy as np
import pandas as pd

from winnow.domains.climb import definitions
from winnow.domains.climb.params import Common, Synthetic
from winnow.domains.climb.source.problems import Problems

WIDTH = len(definitions.COLUMNS)
CELL_ROW, CELL_COLUMN = np.divmod(np.arange(definitions.CELLS), WIDTH)
ANGLES = {"2016": (40,), "2017": (25, 40, 40), "2019": (25, 40, 40), "2020": (40,)}
"""Angles a board is set at, as often as drawn."""
GRADE_SHARES = {
    "6A": 3, "6A+": 5, "6B": 8, "6B+": 12, "6C": 14, "6C+": 13, "7A": 12, "7A+": 10,
    "7B": 8, "7B+": 6, "7C": 4, "7C+": 2, "8A": 1.5, "8A+": 1, "8B": 0.3, "8B+": 0.2,
}  # fmt: skip
LOWEST_START = 2
STARS = 5
MEAN_STRIDE, LONGEST_STRIDE, GOODNESS, NOISE = 0.4, 0.2, 1.2, 1.0
"""What a standard deviation of each counts for in a problem's difficulty; `benchmarks/climb/drawn.py` compares them."""
DEGREE = 0.03
"""What a degree of overhang counts for."""
TWO_ANGLES_SHARE = 0.1
"""Share of the problems at 25 degrees that are set at 40 degrees as well, with another grade."""
BATCH = 10_000
"""Problems drawn at once, so that memory does not grow with their number."""


def make(common: Common, params: Synthetic, rng: np.random.Generator) -> Problems:
    """`params.routes` problems on the chosen boards, as if read from a file."""
    board = rng.integers(len(common.boards), size=params.routes)
    angle = np.array([rng.choice(ANGLES[common.boards[index]]) for index in board])
    goodness = rng.beta(2, 2, size=(len(common.boards), definitions.CELLS))
    popularity = rng.normal(0, 1.3, size=(len(common.boards), definitions.CELLS))
    paths = np.concatenate(
        [
            _climb(common, board[start : start + BATCH], goodness, popularity, rng)
            for start in range(0, params.routes, BATCH)
        ]
    )
    _set_at_two_angles(paths, board, angle, rng)
    difficulty = _difficulty(paths, goodness[board[:, None], paths], angle, rng)
    boards = np.array(common.boards)[board]
    unknown = _first_of(rng.random(params.routes), params.unknown_share)
    return Problems(
        _routes(boards, angle, difficulty, unknown, rng, benchmark_share=params.benchmark_share),
        _holds(paths, boards, unknown),
        pd.DataFrame({"row": pd.Series(dtype="int64"), "reason": pd.Series(dtype="str")}),
    )


def _climb(
    common: Common, board: np.ndarray, goodness: np.ndarray, popularity: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Cells of each problem bottom up, `(problems, max_holds)`, -1 after its last hold."""
    number = len(board)
    top = np.array([definitions.BOARDS[name].rows - 1 for name in common.boards])[board]
    ambition = rng.random(number)
    # Hard problems have long strides and poor holds.
    liking = popularity[board] + 5 * (goodness[board] - 0.5) * (0.6 - ambition)[:, None]
    stride = 1.6 + 2.0 * ambition
    side = rng.choice([-1, 1], size=number)
    paths = np.full((number, common.max_holds), -1)
    may_start = (CELL_ROW >= LOWEST_START - 1) & (CELL_ROW < definitions.START_ROWS - 1)
    paths[:, 0] = _draw(liking + np.where(may_start, 0, -np.inf), rng)
    two_starts = rng.random(number) < 0.65
    for position in range(1, common.max_holds):
        climbing = np.flatnonzero(CELL_ROW[paths[:, position - 1]] < top)
        climbing = climbing[paths[climbing, position - 1] >= 0]
        if len(climbing) == 0:
            break
        last, before = paths[climbing, position - 1], paths[climbing, max(position - 2, 0)]
        starting = two_starts[climbing] & (position == 1)
        row = CELL_ROW[last] + np.where(starting, 0.5, stride[climbing])
        column = (CELL_COLUMN[last] + CELL_COLUMN[before]) / 2 + 1.6 * side[climbing]
        off_target = (CELL_ROW - row[:, None]) ** 2 / 1.6 + (CELL_COLUMN - column[:, None]) ** 2 / 5
        apart = (CELL_ROW - CELL_ROW[last][:, None]) ** 2 + (CELL_COLUMN - CELL_COLUMN[last][:, None]) ** 2
        # A second start may be next to the first; every other hold is higher than the last one.
        lowest = np.where(starting, last + 1, (CELL_ROW[last] + 1) * WIDTH)
        highest = np.where(starting, definitions.START_ROWS - 1, top[climbing])
        possible = (lowest[:, None] <= np.arange(definitions.CELLS)) & (highest[:, None] >= CELL_ROW)
        possible &= apart <= common.max_reach**2
        # A route that cannot go on stays as it is, without a finish, for the filter to drop.
        stuck = ~possible.any(axis=1)
        chosen = _draw(np.where(possible, liking[climbing] - off_target, -np.inf), rng)
        paths[climbing, position] = np.where(stuck, -1, chosen)
        side = -side
    return paths


def _draw(logits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One column per row, with chances proportional to exp(logits) (the Gumbel-max trick)."""
    return np.asarray(np.argmax(logits + rng.gumbel(size=logits.shape), axis=1))


def _set_at_two_angles(paths: np.ndarray, board: np.ndarray, angle: np.ndarray, rng: np.random.Generator) -> None:
    """Give some problems at 25 degrees the holds of one at 40 degrees on the same board, in place."""
    for index in np.unique(board[angle == 25]):
        gentle, steep = (np.flatnonzero((board == index) & (angle == value)) for value in (25, 40))
        number = min(round(TWO_ANGLES_SHARE * len(gentle)), len(steep))
        paths[rng.choice(gentle, number, replace=False)] = paths[rng.choice(steep, number, replace=False)]


def _difficulty(paths: np.ndarray, goodness: np.ndarray, angle: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """How hard each problem is, in no unit: longer strides, poorer holds and a steeper angle are harder."""
    used = paths >= 0
    steps = used[:, 1:]
    rows, columns = CELL_ROW[paths], CELL_COLUMN[paths]
    stride = np.where(steps, np.hypot(np.diff(rows, axis=1), np.diff(columns, axis=1)), 0)
    mean_stride = stride.sum(axis=1) / np.maximum(steps.sum(axis=1), 1)
    mean_goodness = np.where(used, goodness, 0).sum(axis=1) / used.sum(axis=1)
    reach = MEAN_STRIDE * _standard(mean_stride) + LONGEST_STRIDE * _standard(stride.max(axis=1))
    return reach - GOODNESS * _standard(mean_goodness) + DEGREE * angle + rng.normal(0, NOISE, size=len(paths))


def _standard(values: np.ndarray) -> np.ndarray:
    return np.asarray((values - values.mean()) / max(values.std(), 1e-9))


def _first_of(score: np.ndarray, share: float) -> np.ndarray:
    """Marks the `share` of rows with the lowest score."""
    marked = np.zeros(len(score), dtype=bool)
    marked[np.argsort(score, kind="stable")[: round(share * len(score))]] = True
    return marked


def _routes(
    board: np.ndarray,
    angle: np.ndarray,
    difficulty: np.ndarray,
    unknown: np.ndarray,
    rng: np.random.Generator,
    *,
    benchmark_share: float,
) -> pd.DataFrame:
    """The columns of `Problems.routes`."""
    number = len(board)
    limits = np.cumsum(list(GRADE_SHARES.values()))
    limits /= limits[-1]
    rank = (np.argsort(np.argsort(difficulty, kind="stable")) + 0.5) / number
    grade = np.array(list(GRADE_SHARES))[np.searchsorted(limits, rank)]
    appeal = rng.normal(size=number)
    repeats = np.floor(np.exp(3.4 - 0.5 * _standard(difficulty) + 0.8 * appeal + rng.normal(0, 1.4, size=number)))
    stars = np.clip(np.round(3.4 + 0.8 * appeal), 1, STARS)
    # Benchmarks are well repeated; setters choose them, so not the most repeated ones without exception.
    fame = np.where(unknown, np.inf, -np.log1p(repeats) + rng.normal(0, 1, size=number))
    routes = pd.DataFrame(
        {
            "row": np.arange(number),
            "board": pd.Series(board, dtype="str"),
            "angle": angle,
            "grade": pd.Series(grade, dtype="str"),
            "repeats": pd.Series(repeats).astype("Int64"),
            "benchmark": _first_of(fame, benchmark_share) & ~unknown,
            "user_rating": stars / STARS,
            "name": pd.Series([f"Problem {index + 1}" for index in range(number)], dtype="str"),
            "method": pd.Series("Feet follow hands", index=range(number), dtype="str"),
        }
    )
    routes.loc[unknown, "repeats"] = pd.NA
    routes.loc[unknown, ["name", "method"]] = None
    return routes


def _holds(paths: np.ndarray, board: np.ndarray, unknown: np.ndarray) -> pd.DataFrame:
    """The columns of `Problems.holds`."""
    row, position = np.nonzero(paths >= 0)
    cell = paths[row, position]
    top = np.array([definitions.BOARDS[name].rows - 1 for name in board])
    start = (position < definitions.MAX_STARTS) & (CELL_ROW[cell] < definitions.START_ROWS)
    role = np.select([unknown[row], CELL_ROW[cell] == top[row], start], ["unknown", "finish", "start"], "move")
    names = np.array(list(definitions.CELL_INDEX))
    return pd.DataFrame({"row": row, "hold": pd.Series(names[cell], dtype="str"), "role": pd.Series(role, dtype="str")})
