"""
Simple recommenders.

A fitted one is a function from the items by which users are known, a matrix (users, items) of 0 and 1, to scores of
all items, so that users it never saw are scored too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from scipy import linalg
from threadpoolctl import threadpool_limits

from winnow.pipeline.parallel import cores
from winnow.recommend.cooccurrence import similar_items
from winnow.recommend.graph import Matrix
from winnow.recommend.groups import group_shares, relative_popularity
from winnow.recommend.ranking import Scorer

Fitted = Callable[[Matrix], NDArray[np.float32]]
Fit = Callable[[Matrix], Fitted]


def matrix_scorer(score: Fitted, known: Matrix) -> Scorer:
    """A fitted recommender over users known by `known` (users, items), as `rank_by` takes it."""
    return lambda users: torch.from_numpy(score(known[users]))


def fit_popularity(train: Matrix) -> Fitted:
    """Scores every item by its number of users."""
    popularity = np.asarray(train.sum(axis=0), dtype=np.float32).ravel()
    return lambda known: np.tile(popularity, (known.shape[0], 1))


def fit_item_knn(
    train: Matrix, *, neighbours: int, shrink: float, asymmetry: float = 0.5, user_exponent: float = 0.0
) -> Fitted:
    """Shrunk cosine of the items' users, the nearest `neighbours` of each item (Deshpande and Karypis 2004).

    `asymmetry` and `user_exponent` as in `similar_items`.
    """
    weighting = {"asymmetry": asymmetry, "user_exponent": user_exponent}
    similar = similar_items(train, neighbours=neighbours, shrink=shrink, **weighting).T.tocsr()
    return lambda known: (known @ similar).toarray()


@dataclass(frozen=True)
class ItemKNN:
    """`fit_item_knn` of `train`, with its settings: a recommender that a model's folder can hold."""

    train: Matrix
    """(users, items) of 0 and 1"""
    neighbours: int
    shrink: float
    asymmetry: float

    @cached_property
    def _fitted(self) -> Fitted:
        return fit_item_knn(self.train, neighbours=self.neighbours, shrink=self.shrink, asymmetry=self.asymmetry)

    def __call__(self, known: Matrix) -> NDArray[np.float32]:
        """(users, items) from `known` (users, items)."""
        return self._fitted(known)


def fit_group_popularity(train: Matrix, *, group: NDArray[np.int64]) -> Fitted:
    """Scores an item by its number of users, times the share of its `group` (items,) among the user's items.

    Items without a group have -1. What is of no group of the user's comes after all else, the most popular first.
    """
    popularity = np.asarray(train.sum(axis=0), dtype=np.float32).ravel()
    small = popularity / (popularity.max(initial=0) + 1) / (train.shape[1] + 1)
    share = group_shares(group, popularity)
    return lambda known: share(known).toarray() + small


def fit_item_knn_with_groups(
    train: Matrix, *, neighbours: int, shrink: float, group: NDArray[np.int64], weight: float
) -> Fitted:
    """item-kNN, plus `weight` times the share of an item's `group` (items,) among the user's items.

    That share counts as much as the item's popularity is of that of the group's most popular item.
    """
    similar = similar_items(train, neighbours=neighbours, shrink=shrink).T.tocsr()
    popularity = np.asarray(train.sum(axis=0), dtype=np.float32).ravel()
    share = group_shares(group, relative_popularity(popularity, group, weight))
    return lambda known: (known @ similar + share(known)).toarray()


def fit_ease(train: Matrix, *, l2: float, items: int) -> Fitted:
    """EASE, a linear model of each item from all others (Steck 2019), over the `items` most popular ones."""
    popularity = np.asarray(train.sum(axis=0)).ravel()
    chosen = np.sort(np.argsort(-popularity, kind="stable")[:items])
    inner = train[:, chosen]
    gram = (inner.T @ inner).toarray().astype(np.float64)
    gram[np.diag_indices_from(gram)] += l2
    inverse = linalg.inv(gram, overwrite_a=True, assume_a="pos")
    weights = (inverse / -np.diag(inverse)).astype(np.float32)
    weights[np.diag_indices_from(weights)] = 0

    def score(known: Matrix) -> NDArray[np.float32]:
        scores = np.full(known.shape, -1e6, dtype=np.float32)
        scores[:, chosen] = known[:, chosen] @ weights
        return scores

    return score


def fit_als(train: Matrix, *, factors: int, ridge: float, alpha: float, rounds: int, seed: int) -> Fitted:
    """Implicit alternating least squares (Hu, Koren and Volinsky 2008); a user is solved from their items.

    Confidence is 1 + alpha for items that a user has, and 1 for the others.
    """
    model = AlternatingLeastSquares(
        factors, regularization=ridge, alpha=1 + alpha, iterations=rounds, random_state=seed, num_threads=cores()
    )
    with threadpool_limits(1, "blas"):  # beside its own threads
        model.fit(train, show_progress=False)

    def score(known: Matrix) -> NDArray[np.float32]:
        with threadpool_limits(1, "blas"):
            users = model.recalculate_user(np.arange(known.shape[0]), known)
        return np.asarray(users @ model.item_factors.T, dtype=np.float32)

    return score
