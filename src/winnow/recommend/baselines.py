"""
Simple recommenders.

A fitted one is a function from the items by which users are known, a matrix (users, items) of 0 and 1, to scores of
all items, so that users it never saw are scored too.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import linalg, sparse

from winnow.recommend.graph import Graph
from winnow.recommend.ranking import Scorer

Matrix = sparse.csr_matrix
Fitted = Callable[[Matrix], NDArray[np.float32]]
Fit = Callable[[Matrix], Fitted]


def matrix_of(graph: Graph) -> Matrix:
    """The graph as a matrix (users, items) of 0 and 1."""
    ones = np.ones(len(graph.item), dtype=np.float32)
    return sparse.csr_matrix((ones, graph.item.numpy(), graph.starts.numpy()), shape=graph.shape)


def matrix_scorer(score: Fitted, known: Matrix) -> Scorer:
    """A fitted recommender over users known by `known` (users, items), as `rank_by` takes it."""
    return lambda users: torch.from_numpy(score(known[users]))


def fit_popularity(train: Matrix) -> Fitted:
    """Scores every item by its number of users."""
    popularity = np.asarray(train.sum(axis=0), dtype=np.float32).ravel()
    return lambda known: np.tile(popularity, (known.shape[0], 1))


def fit_item_knn(train: Matrix, *, neighbours: int, shrink: float) -> Fitted:
    """Shrunk cosine of the items' users, the nearest `neighbours` of each item (Deshpande and Karypis 2004)."""
    norm = np.sqrt(np.asarray(train.sum(axis=0)).ravel())
    rows = []
    transposed = train.T.tocsr()
    for start in range(0, train.shape[1], 2048):
        block = (transposed[start : start + 2048] @ train).toarray()
        block /= norm[start : start + 2048, None] * norm[None, :] + shrink + 1e-9
        block[np.arange(len(block)), start + np.arange(len(block))] = 0
        if neighbours < block.shape[1]:
            least = np.partition(block, -neighbours, axis=1)[:, -neighbours, None]
            block[block < least] = 0
        rows.append(sparse.csr_matrix(block))
    similar = sparse.vstack(rows).T.tocsr().astype(np.float32)
    return lambda known: (known @ similar).toarray()


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
    """Implicit alternating least squares (Hu, Koren and Volinsky 2008); a user is solved from their items."""
    rng = np.random.default_rng(seed)
    items = rng.normal(0, 0.1, (train.shape[1], factors)).astype(np.float32)
    transposed = train.T.tocsr()
    for _ in range(rounds):
        users = _solve(train, items, ridge, alpha)
        items = _solve(transposed, users, ridge, alpha)
    return lambda known: _solve(known, items, ridge, alpha) @ items.T


def _solve(known: Matrix, other: NDArray[np.float32], ridge: float, alpha: float) -> NDArray[np.float32]:
    """Least squares of each row: target 0 and confidence 1 for all of `other`, 1 and 1 + alpha for the known ones.

    With few known ones the small system is solved (Woodbury): (B + αOᵀO)⁻¹Oᵀ1 = B⁻¹Oᵀ(I + αOB⁻¹Oᵀ)⁻¹1.
    """
    base = other.T @ other + ridge * np.eye(other.shape[1], dtype=np.float32)
    inverse = np.linalg.inv(base)
    solved = np.zeros((known.shape[0], other.shape[1]), dtype=np.float32)
    for row in range(known.shape[0]):
        own = other[known.indices[known.indptr[row] : known.indptr[row + 1]]]
        if 0 < len(own) < other.shape[1]:
            spread = inverse @ own.T
            shares = np.linalg.solve(np.eye(len(own), dtype=np.float32) + alpha * own @ spread, np.ones(len(own)))
            solved[row] = (1 + alpha) * spread @ shares
        elif len(own):
            solved[row] = np.linalg.solve(base + alpha * own.T @ own, (1 + alpha) * own.sum(axis=0))
    return solved
