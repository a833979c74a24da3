"""Hold usage of routes, and its divergence from that of training routes."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.domains.climb import definitions
from winnow.domains.climb.model.sequences import BOARDS, Sequences, membership
from winnow.measure.distributions import jensen_shannon_divergence


def hold_usage(collections: Mapping[str, tuple[Sequences, NDArray[np.float64]]]) -> pd.DataFrame:
    """Share of each hold among the holds of named collections of routes with their (routes,) weights.

    Columns board, hold and one per collection; boards that all collections have, holds that any uses.
    """
    columns = {"board": "str", "hold": "str", **dict.fromkeys(collections, "float64")}
    tables = [pd.DataFrame(columns=list(columns))]
    for index, board in enumerate(BOARDS):
        counts = np.stack([_counts(sequences, weights, index) for sequences, weights in collections.values()])
        total = counts.sum(axis=1, keepdims=True)
        if (total > 0).all():
            used = np.flatnonzero(counts.sum(axis=0))
            shares = dict(zip(collections, (counts / total)[:, used], strict=True))
            cells = [definitions.cell_name(int(cell)) for cell in used]
            tables.append(pd.DataFrame({"board": board, "hold": cells, **shares}))
    return pd.concat(tables, ignore_index=True).astype(columns)


def usage_divergence(
    first: tuple[Sequences, NDArray[np.float64]], second: tuple[Sequences, NDArray[np.float64]]
) -> dict[str, float]:
    """{"usage_divergence": …}: `divergence_of_use`, the mean over boards by the routes of `first`.

    Empty where they have no board in common.
    """
    boards = range(len(BOARDS))
    one, other = (np.stack([_counts(*each, board) for board in boards]) for each in (first, second))
    found = divergence_of_use(one, other, np.bincount(first[0].conditions[:, 0], minlength=len(BOARDS)))
    return {"usage_divergence": float(found)} if np.isfinite(found) else {}


def divergence_of_use(
    first: NDArray[np.float64], second: NDArray[np.float64], routes: NDArray[np.float64] | NDArray[np.int64]
) -> NDArray[np.float64]:
    """Jensen–Shannon divergence in bits of the use of holds, (…,): the mean over boards by their (…, boards) routes.

    `first` and `second` are counts of holds, (…, boards, cells); of boards that both use. NaN where there is none.
    """
    apart = jensen_shannon_divergence(first, second)
    weights = np.where(np.isnan(apart), 0, routes)
    total = weights.sum(axis=-1)
    mean: NDArray[np.float64] = np.divide(
        (np.nan_to_num(apart) * weights).sum(axis=-1), total, out=np.full(total.shape, np.nan), where=total > 0
    )
    return mean


def _counts(sequences: Sequences, weights: NDArray[np.float64], board: int) -> NDArray[np.float64]:
    here = sequences.conditions[:, 0] == board
    return np.asarray(weights[here] @ membership(sequences)[here], dtype=np.float64)
