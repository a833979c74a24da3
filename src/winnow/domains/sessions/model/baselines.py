"""
The simple recommenders beside the model, each tuned on validation.

A fitted one is a function from what users are known by, a matrix (users, songs) of 0 and 1, to scores of all songs:
so that users it never saw are scored too.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import linalg, sparse
from torch import Tensor

from winnow.domains.sessions.model import lightgcn
from winnow.domains.sessions.model.graph import Graph
from winnow.domains.sessions.model.ranking import rank_by
from winnow.domains.sessions.model.tensors import Held
from winnow.domains.sessions.params import Baselines
from winnow.measure.ranking import recall_at

Matrix = sparse.csr_matrix
Fitted = Callable[[Matrix], NDArray[np.float32]]
Fit = Callable[[Matrix], Fitted]
TUNED_AT = 10
"""Validation Recall@K decides."""


@dataclass(frozen=True)
class Tuned:
    """A baseline with the settings that were best on validation."""

    settings: dict[str, float]
    validation_recall: float
    score: Fitted


def matrix_of(graph: Graph) -> Matrix:
    """Who is known by what, (users, songs), 0 and 1."""
    ones = np.ones(len(graph.song), dtype=np.float32)
    return sparse.csr_matrix((ones, graph.song.numpy(), graph.starts.numpy()), shape=graph.shape)


def scorer(score: Fitted, known: Matrix) -> Callable[[NDArray[np.int64]], Tensor]:
    """A fitted recommender as what `rank_by` takes."""
    return lambda users: torch.from_numpy(score(known[users]))


def tune(fits: Iterator[tuple[dict[str, float], Fit]], train: Matrix, val: Held, block: int) -> tuple[Tuned, Fit]:
    """The settings best in validation Recall@10, the first of equals, and how to fit them again."""
    best: tuple[Tuned, Fit] | None = None
    for settings, fit in fits:
        score = fit(train)
        ranked = rank_by(scorer(score, train), val, block)
        recall = float(recall_at(ranked.hits, ranked.relevant, TUNED_AT).mean())
        if best is None or recall > best[0].validation_recall:
            best = Tuned(settings, recall, score), fit
    assert best is not None
    return best


def candidates(params: Baselines, seed: int, val: Held) -> dict[str, Iterator[tuple[dict[str, float], Fit]]]:
    """Every baseline's grid: settings, and the function that fits them."""
    grids: dict[str, Iterator[tuple[dict[str, float], Fit]]] = {
        "popularity": iter([({}, fit_popularity)]),
        "item_knn": (
            ({"neighbours": k, "shrink": shrink}, partial(fit_item_knn, neighbours=k, shrink=shrink))
            for k, shrink in product(params.knn_neighbours, params.knn_shrink)
        ),
        "ease": (
            ({"l2": l2, "songs": params.ease_songs}, partial(fit_ease, l2=l2, songs=params.ease_songs))
            for l2 in params.ease_l2
        ),
        "als": (
            (
                {"factors": factors, "regularisation": ridge, "alpha": alpha},
                partial(fit_als, factors=factors, ridge=ridge, alpha=alpha, rounds=params.als_rounds, seed=seed),
            )
            for factors, ridge, alpha in product(params.als_factors, params.als_regularisation, params.als_alpha)
        ),
    }
    if params.lightgcn_dims:
        options = {"epochs": params.lightgcn_epochs, "learning_rate": params.lightgcn_learning_rate, "seed": seed}
        grids["lightgcn"] = (
            ({"dim": dim}, partial(lightgcn.fit, dim=dim, val=val, **options))  # type: ignore[arg-type]
            for dim in params.lightgcn_dims
        )
    return grids


def fit_popularity(train: Matrix) -> Fitted:
    """Every song by its listeners."""
    listeners = np.asarray(train.sum(axis=0), dtype=np.float32).ravel()
    return lambda known: np.tile(listeners, (known.shape[0], 1))


def fit_item_knn(train: Matrix, *, neighbours: int, shrink: float) -> Fitted:
    """Cosine of songs' listeners, shrunk, the nearest `neighbours` of each song (Deshpande and Karypis 2004)."""
    norm = np.sqrt(np.asarray(train.sum(axis=0)).ravel())
    rows = []
    turned = train.T.tocsr()
    for start in range(0, train.shape[1], 2048):
        block = (turned[start : start + 2048] @ train).toarray()
        block /= norm[start : start + 2048, None] * norm[None, :] + shrink + 1e-9
        block[np.arange(len(block)), start + np.arange(len(block))] = 0
        if neighbours < block.shape[1]:
            least = np.partition(block, -neighbours, axis=1)[:, -neighbours, None]
            block[block < least] = 0
        rows.append(sparse.csr_matrix(block))
    similar = sparse.vstack(rows).T.tocsr().astype(np.float32)
    return lambda known: (known @ similar).toarray()


def fit_ease(train: Matrix, *, l2: float, songs: int) -> Fitted:
    """EASE, a linear model of each song from all others (Steck 2019), over the `songs` most frequent."""
    listeners = np.asarray(train.sum(axis=0)).ravel()
    chosen = np.sort(np.argsort(-listeners, kind="stable")[:songs])
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
    """Implicit alternating least squares (Hu, Koren and Volinsky 2008); a user is solved from her songs."""
    rng = np.random.default_rng(seed)
    songs = rng.normal(0, 0.1, (train.shape[1], factors)).astype(np.float32)
    turned = train.T.tocsr()
    for _ in range(rounds):
        users = _solve(train, songs, ridge, alpha)
        songs = _solve(turned, users, ridge, alpha)
    return lambda known: _solve(known, songs, ridge, alpha) @ songs.T


def _solve(known: Matrix, other: NDArray[np.float32], ridge: float, alpha: float) -> NDArray[np.float32]:
    """Least squares of each row: all of `other` with confidence 1, the known ones with 1 + alpha and target 1.

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
