"""The models that a trained scorer must beat, in `ridge.py` and here, and their table."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def mean_predictor(labels: Floats, rows: int) -> Floats:
    """The mean of the training labels `(articles, dimensions)` for each of `rows` articles."""
    return np.broadcast_to(labels.mean(axis=0), (rows, labels.shape[1])).copy()


def table(ids: Sequence[str], names: Sequence[str], predicted: dict[str, Floats]) -> pd.DataFrame:
    """The columns of `BaselinePredictions`."""
    return pd.DataFrame(
        [
            (baseline, article, name, float(value))
            for baseline, values in predicted.items()
            for article, row in zip(ids, values, strict=True)
            for name, value in zip(names, row, strict=True)
        ],
        columns=["baseline", "article_id", "dimension", "predicted"],
    )
