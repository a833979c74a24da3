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
    """{"usage_divergence": …}: Jensen–Shannon divergence in bits, the mean over boards by the routes of `first`.

    Empty where they have no board in common.
    """
    usage = hold_usage({"first": first, "second": second})
    parts = {board: jensen_shannon_divergence(part["first"], part["second"]) for board, part in usage.groupby("board")}
    routes = [int((first[0].conditions[:, 0] == BOARDS.index(str(board))).sum()) for board in parts]
    return {"usage_divergence": float(np.average(list(parts.values()), weights=routes))} if parts else {}


def _counts(sequences: Sequences, weights: NDArray[np.float64], board: int) -> NDArray[np.float64]:
    here = sequences.conditions[:, 0] == board
    return np.asarray(weights[here] @ membership(sequences)[here], dtype=np.float64)
