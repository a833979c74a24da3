"""
Metrics of ranked lists, computed over all items (never over a sample of them).

`hits` (rows, places) marks the places of a list, best first, that hold a relevant item; `relevant` (rows,) is the
number of relevant items, listed or not. The metrics of rows without a relevant item are undefined: leave them out.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def recall_at(hits: ArrayLike, relevant: ArrayLike, k: int) -> NDArray[np.float64]:
    """Share of the relevant items among the first `k` places, (rows,)."""
    found = np.asarray(hits, dtype=np.float64)[:, :k].sum(axis=1)
    return np.asarray(found / _counts(relevant), dtype=np.float64)


def ndcg_at(hits: ArrayLike, relevant: ArrayLike, k: int) -> NDArray[np.float64]:
    """Normalised discounted cumulative gain with gains of 0 and 1 (Järvelin and Kekäläinen 2002), (rows,).

    The ideal list has min(relevant, k) hits, all in front.
    """
    inside = np.asarray(hits, dtype=np.float64)[:, :k]
    discount = 1 / np.log2(np.arange(k) + 2)
    ideal = np.cumsum(discount)[np.minimum(_counts(relevant), k) - 1]
    gain = inside @ discount[: inside.shape[1]] / ideal
    return np.asarray(np.minimum(gain, 1.0), dtype=np.float64)  # sums in another order may differ in the last bit


def r_precision(hits: ArrayLike, relevant: ArrayLike) -> NDArray[np.float64]:
    """Share of the relevant items among as many first places as there are relevant items, (rows,).

    The RecSys Challenge 2018 adds a part for other tracks of the right artists: see `recommend.lists`.
    """
    counts = _counts(relevant)
    inside = np.asarray(hits, dtype=np.float64)
    counted = np.where(np.arange(inside.shape[1]) < counts[:, None], inside, 0).sum(axis=1)
    return np.asarray(counted / counts, dtype=np.float64)


def clicks(hits: ArrayLike, *, shown: int = 10, most: int = 50) -> NDArray[np.float64]:
    """How often a person asks for the next `shown` items until one is relevant, (rows,); `most` + 1 if none is.

    The RecSys Challenge 2018's "recommended songs clicks", over `shown` · `most` places.
    """
    inside = np.asarray(hits, dtype=bool)[:, : shown * most]
    return np.asarray(np.where(inside.any(axis=1), inside.argmax(axis=1) // shown, most + 1), dtype=np.float64)


def cutoff_metrics(hits: ArrayLike, relevant: ArrayLike, cutoffs: Sequence[int]) -> dict[str, NDArray[np.float64]]:
    """`recall_at_K` and `ndcg_at_K` (rows,) for every K, from `hits` (rows, places) and `relevant` (rows,)."""
    recall = {f"recall_at_{k}": recall_at(hits, relevant, k) for k in cutoffs}
    return recall | {f"ndcg_at_{k}": ndcg_at(hits, relevant, k) for k in cutoffs}


def _counts(relevant: ArrayLike) -> NDArray[np.int64]:
    counts = np.asarray(relevant, dtype=np.int64)
    if counts.size and counts.min() < 1:
        raise ValueError("recall is undefined for a row without a relevant item; leave it out")
    return counts
