"""Spectral filters on the graph of users and items: recommenders in closed form, linear in a user's items."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg
from torch import Tensor

from winnow.recommend.baselines import ItemKNN
from winnow.recommend.graph import Matrix
from winnow.recommend.ranking import Scorer
from winnow.recommend.sparse import csr, times

BLOCK = 128
"""Users filtered at a time: more do not fit into the processor's cache (512 take 1.6 times as long on Gowalla)."""
ORDER = 4
"""Of the polynomial that sharpens: one step of the classical Runge-Kutta method, as BSPM's authors use it."""


@dataclass(frozen=True)
class GraphFilter:
    """
    The scores of all items for users by the items they are known by.

    With R the training matrix, R̃ = D_u^-½ R D_i^-½, P = R̃ᵀR̃, and V the first right singular vectors of R̃, a user with
    the items r gets (r P + alpha · r D_i^-½ V Vᵀ D_i^½) s(P). Without sharpening s(P) is 1: GF-CF, a linear filter plus
    an ideal low-pass filter (Shen et al. 2021). With it s(P) is the beginning of the series of exp(-sharpening · P):
    BSPM with final sharpening (Choi et al. 2023).
    """

    train: Matrix
    """(users, items) of 0 and 1"""
    basis: NDArray[np.float32]
    """(factors, items): the rows of Vᵀ"""
    alpha: float
    sharpening: float

    @cached_property
    def _both_ways(self) -> tuple[Tensor, Tensor]:
        scaled = scaled_matrix(self.train)
        return _as_tensor(scaled), _as_tensor(scaled.T.tocsr())

    @cached_property
    def _low_pass(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        root = np.sqrt(np.maximum(np.asarray(self.train.sum(axis=0), dtype=np.float32).ravel(), 1))
        return np.ascontiguousarray((self.basis / root).T), self.basis * root

    def __call__(self, known: Matrix) -> NDArray[np.float32]:
        """(users, items) from `known` (users, items)."""
        starts = range(0, known.shape[0], BLOCK)
        scores = [self._of_some(known[start : start + BLOCK]) for start in starts]
        return np.concatenate(scores) if scores else np.zeros(known.shape, dtype=np.float32)

    def _of_some(self, known: Matrix) -> NDArray[np.float32]:
        into, back = self._low_pass
        given = torch.from_numpy(np.ascontiguousarray(known.toarray().T, dtype=np.float32))
        low = np.ascontiguousarray(((known @ into) @ back).T, dtype=np.float32)
        step = self._pass_on(given) + self.alpha * torch.from_numpy(low)
        total = step
        for power in range(1, ORDER + 1) if self.sharpening else ():
            step = self._pass_on(step) * (-self.sharpening / power)
            total = total + step
        return total.t().contiguous().numpy()

    def _pass_on(self, items: Tensor) -> Tensor:
        """P times (items, users)."""
        to_users, to_items = self._both_ways
        return times(to_items, times(to_users, items))


def scaled_matrix(train: Matrix) -> Matrix:
    """R̃ = D_u^-½ R D_i^-½, (users, items)."""
    by_user, by_item = (np.maximum(np.asarray(train.sum(axis=axis)).ravel(), 1) ** -0.5 for axis in (1, 0))
    scaled: Matrix = (sparse.diags(by_user) @ train @ sparse.diags(by_item)).tocsr().astype(np.float32)
    scaled.sort_indices()
    return scaled


def _as_tensor(matrix: Matrix) -> Tensor:
    indptr, ends = (torch.from_numpy(part.astype(np.int64)) for part in (matrix.indptr, matrix.indices))
    return csr(indptr, ends, torch.from_numpy(matrix.data), matrix.shape)


def low_frequencies(train: Matrix, factors: int, seed: int) -> NDArray[np.float32]:
    """The right singular vectors of R̃ with the largest singular values, (factors, items), the largest first.

    Fewer where the matrix has fewer.
    """
    scaled = scaled_matrix(train)
    start = np.random.default_rng(seed).normal(size=min(scaled.shape)).astype(np.float32)
    _, strength, rows = linalg.svds(scaled, k=min(factors, min(scaled.shape) - 1), v0=start)
    basis: NDArray[np.float32] = rows[np.argsort(-strength, kind="stable")].astype(np.float32)
    return basis


def fit_graph_filter(train: Matrix, *, factors: int, alpha: float, sharpening: float, seed: int) -> GraphFilter:
    """A filter of the `train` matrix (users, items) with `factors` frequencies in its low-pass part."""
    return GraphFilter(train, low_frequencies(train, factors, seed), alpha, sharpening)


def graph_filter_grid(
    factors: Sequence[int], alphas: Sequence[float], sharpenings: Sequence[float], seed: int
) -> Iterator[tuple[dict[str, float], Callable[[Matrix], GraphFilter]]]:
    """The settings of graph filters, each with the function that fits it; a matrix is decomposed once for all.

    An alpha of 0 leaves nothing of the low-pass part: it is tried once, with no factors.
    """
    bases: dict[int, tuple[Matrix, NDArray[np.float32]]] = {}

    def fit(train: Matrix, *, factors_kept: int, alpha: float, sharpening: float) -> GraphFilter:
        if id(train) not in bases:
            bases[id(train)] = train, low_frequencies(train, max(factors), seed)
        return GraphFilter(train, bases[id(train)][1][:factors_kept], alpha, sharpening)

    pairs = dict.fromkeys((count if alpha else 0, alpha) for count, alpha in product(factors, alphas))
    for (count, alpha), sharpening in product(pairs, sharpenings):
        settings = {"factors": count, "alpha": alpha, "sharpening": sharpening}
        yield settings, partial(fit, factors_kept=count, alpha=alpha, sharpening=sharpening)


@dataclass(frozen=True)
class Blend:
    """A linear recommender's score to add to a network's: `weight` times its score of the user's row of length 1."""

    filter: GraphFilter | ItemKNN
    weight: float

    def scores(self, known: Matrix) -> NDArray[np.float32]:
        """(users, items) from `known` (users, items)."""
        length = np.sqrt(np.maximum(np.asarray(known.sum(axis=1), dtype=np.float32), 1))
        return np.asarray(self.filter(known) * (np.float32(self.weight) / length), dtype=np.float32)

    def effects(self, items: NDArray[np.int64]) -> NDArray[np.float32]:
        """By how much a user's scores fall without each of their `items`: (items of the user, all items)."""
        count = len(items)
        ones = np.ones(count, dtype=np.float32)
        apart = sparse.csr_matrix((ones, (np.arange(count), items)), shape=(count, self.filter.train.shape[1]))
        each = self.filter(apart)
        whole = each.sum(axis=0)
        effects = whole / np.sqrt(count) - (whole - each) / np.sqrt(max(count - 1, 1))
        return np.asarray(effects * self.weight, dtype=np.float32)


def blended(scorer: Scorer, blend: Blend | None, known: Matrix) -> Scorer:
    """`scorer` of users known by `known` (users, items) plus the blend's scores, where there is one."""
    if blend is None:
        return scorer

    def score(users: NDArray[np.int64]) -> Tensor:
        scores = scorer(users)
        return scores.add_(torch.from_numpy(blend.scores(known[users])).to(scores.device))

    return score
