"""Items in groups, such as the tracks of an artist."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from winnow.recommend.graph import Matrix


def relative_popularity(
    popularity: NDArray[np.float32], group: NDArray[np.int64], weight: float
) -> NDArray[np.float32]:
    """`weight` times the `popularity` (items,) of an item over that of the most popular one of its `group` (items,)."""
    most = np.zeros(int(group.max(initial=-1)) + 2, dtype=np.float32)
    np.maximum.at(most, group, popularity)
    return (weight * popularity / np.maximum(most[group], 1)).astype(np.float32)


def group_shares(group: NDArray[np.int64], weight: NDArray[np.float32]) -> Callable[[Matrix], sparse.csr_matrix]:
    """The share of each item's `group` among the user's items times the item's `weight` (items,), (users, items).

    Sparse: only items of the groups of the user's items have one. Items without a group have -1 there.
    """
    grouped = np.flatnonzero(group >= 0)
    shape = len(group), int(group.max(initial=0)) + 1
    members = sparse.csr_matrix((np.ones(len(grouped), dtype=np.float32), (grouped, group[grouped])), shape=shape)
    weighted = sparse.csr_matrix((weight[grouped], (group[grouped], grouped)), shape=shape[::-1])

    def shares(known: Matrix) -> sparse.csr_matrix:
        counts = (known @ members).tocsr()
        total = np.maximum(np.asarray(known.sum(axis=1), dtype=np.float32).ravel(), 1)
        counts.data /= np.repeat(total, np.diff(counts.indptr))
        return counts @ weighted

    return shares
