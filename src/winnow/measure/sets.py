"""Similarity of sets to each other and to a reference. A set is a row of a 0/1 membership matrix (sets, elements)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

BLOCK = 1024
"""Rows compared at a time: keeps the distance matrix small however many sets there are."""


def jaccard_distances(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Jaccard distance 1 - |a ∩ b| / |a ∪ b| of each row of `first` to each of `second`; 0 for two empty sets."""
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    common = a @ b.T
    union = a.sum(axis=1)[:, None] + b.sum(axis=1)[None, :] - common
    similarity: NDArray[np.float64] = np.divide(common, union, out=np.ones_like(common), where=union > 0)
    return 1.0 - similarity


def nearest_distances(sets: ArrayLike, reference: ArrayLike) -> NDArray[np.float64]:
    """Jaccard distance of each set to the nearest one of `reference`; 0 means that the reference contains it."""
    rows = np.asarray(sets)
    blocks = [jaccard_distances(rows[i : i + BLOCK], reference).min(axis=1) for i in range(0, len(rows), BLOCK)]
    return np.concatenate(blocks) if blocks else np.zeros(0)


def mean_pairwise_distance(sets: ArrayLike) -> float:
    """Mean Jaccard distance over all pairs: the diversity of a collection; raises ValueError below two sets."""
    rows = np.asarray(sets)
    if len(rows) < 2:
        raise ValueError("two sets or more are needed for a distance")
    total = sum(float(jaccard_distances(rows[i : i + BLOCK], rows).sum()) for i in range(0, len(rows), BLOCK))
    return total / (len(rows) * (len(rows) - 1))


def distinct_share(sets: ArrayLike) -> float:
    """Number of different sets, as a share of all; raises ValueError for none."""
    rows = np.asarray(sets)
    if len(rows) == 0:
        raise ValueError("there is no set to compare")
    return len(np.unique(rows, axis=0)) / len(rows)
