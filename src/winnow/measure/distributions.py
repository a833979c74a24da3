"""Distances between distributions over the same categories."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import jensenshannon


def shares(values: ArrayLike, categories: int) -> NDArray[np.float64]:
    """Share of each category 0 … `categories` - 1 among `values`; raises ValueError for no values."""
    counts = np.bincount(np.asarray(values, dtype=np.int64), minlength=categories)
    if counts.sum() == 0:
        raise ValueError("there is no value to take shares of")
    return np.asarray(counts / counts.sum(), dtype=np.float64)


def jensen_shannon_divergence(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Divergence of distributions along the last axis, in bits: 0 for the same, 1 with no category in common.

    Lin, "Divergence measures based on the Shannon entropy", 1991. Counts are normalised; NaN where either has none.
    """
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray(jensenshannon(one, other, base=2.0, axis=-1) ** 2, dtype=np.float64)
