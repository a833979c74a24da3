"""Agreement on an ordinal scale."""

import numpy as np
from numpy.typing import ArrayLike


def accuracy_within(predicted: ArrayLike, true: ArrayLike, steps: int) -> float:
    """Share of predictions at most `steps` away from the truth; 0 asks for the same. Raises ValueError for none."""
    difference = np.abs(np.asarray(predicted, dtype=np.int64) - np.asarray(true, dtype=np.int64))
    if difference.size == 0:
        raise ValueError("there is no prediction to judge")
    return float(np.mean(difference <= steps))
