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


def group_shares(group: NDArray[np.int64]) -> Callable[[Matrix], NDArray[np.float32]]:
    """The share of each item's group among the user's items, (users, items); 0 for an item without a group (-1)."""
    grouped = np.flatnonzero(group >= 0)
    ones = np.ones(len(grouped), dtype=np.float32)
    members = sparse.csr_matrix((ones, (grouped, group[grouped])), shape=(len(group), int(group.max(initial=0)) + 1))

    def shares(known: Matrix) -> NDArray[np.float32]:
        counts = (known @ members).toarray() / np.maximum(np.asarray(known.sum(axis=1)), 1)
        found: NDArray[np.float32] = np.where(group >= 0, counts[:, group], 0).astype(np.float32)
        return found

    return shares
