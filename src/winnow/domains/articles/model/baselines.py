"""The models that a trained scorer must beat: the mean of the training labels, and ridge regression on TF-IDF."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

Floats = NDArray[np.float64]


class Ridged(NamedTuple):
    """Ridge regression with its penalty chosen on validation."""

    predicted: Floats
    """(test articles, dimensions)"""
    alpha: float


def mean_predictor(labels: Floats, rows: int) -> Floats:
    """The mean of the training labels `(articles, dimensions)` for each of `rows` articles."""
    return np.broadcast_to(labels.mean(axis=0), (rows, labels.shape[1])).copy()


def tfidf_ridge(
    texts: Mapping[str, Sequence[str]], train: Floats, val: Floats, *, alphas: Sequence[float], features: int
) -> Ridged:
    """Ridge on TF-IDF of words and word pairs, of character groups, and on the logarithm of the length.

    `texts` by side; the penalty is the one of the lowest MAE on validation, and further ones are tried while it lies on
    the edge of `alphas`.
    """
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, max_features=features)
    characters = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(3, 5), min_df=3, sublinear_tf=True, max_features=features
    )
    fitted = hstack([words.fit_transform(texts["train"]), characters.fit_transform(texts["train"])])
    lengths = {side: _lengths(rows) for side, rows in texts.items()}
    centre, spread = lengths["train"].mean(axis=0), lengths["train"].std(axis=0) + 1e-9

    def inputs(side: str) -> csr_matrix:
        text = fitted if side == "train" else hstack([each.transform(texts[side]) for each in (words, characters)])
        return csr_matrix(hstack([text, csr_matrix((lengths[side] - centre) / spread * 0.1)]))

    known, held, asked = (inputs(side) for side in ("train", "val", "test"))
    models = {}

    def error(alpha: float) -> float:
        models[alpha] = Ridge(alpha=alpha, solver="sparse_cg", tol=1e-5).fit(known, train)
        return float(np.abs(models[alpha].predict(held).reshape(val.shape) - val).mean())

    errors = {alpha: error(alpha) for alpha in sorted(alphas)}
    best = min(errors, key=lambda alpha: errors[alpha])
    for factor, edge in ((1 / 3, min), (3.0, max)):
        for _ in range(10):
            if best != edge(errors):
                break
            errors[best * factor] = error(best * factor)
            best = min(errors, key=lambda alpha: errors[alpha])
    predicted = models[best].predict(asked).reshape(len(texts["test"]), train.shape[1])
    return Ridged(np.asarray(predicted, dtype=np.float64), float(best))


def _lengths(texts: Sequence[str]) -> Floats:
    """Logarithms of words, different words and sentences `(articles, 3)`."""
    rows = [(len(words := text.split()), len(set(words)), text.count(".") + 1) for text in texts]
    return np.log1p(np.array(rows, dtype=np.float64))


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
