"""A baseline: torch_geometric's LightGCN (He et al. 2020), trained with its own BPR loss."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from winnow.measure.ranking import recall_at
from winnow.recommend.evaluation_set import EvaluationSet
from winnow.recommend.ranking import dot_scorer, rank_by

LAYERS = 3
BATCH = 1024
L2 = 1e-3
BLOCK = 512
PATIENCE = 10
SELECTED_AT = 10
"""K of the validation Recall@K that selects the epoch."""


Score = Callable[[sparse.csr_matrix], NDArray[np.float32]]


@dataclass
class EarlyStopped:
    """Fits that take as many epochs as the first one, whose best epoch by Recall@10 on `val` counts.

    So that a fit to more rows, which may hold those of `val`, is not stopped by rows that it learns from.
    """

    dim: int
    epochs: int
    learning_rate: float
    val: EvaluationSet
    seed: int
    chosen: int | None = None
    """epochs, once they are known"""

    def __call__(self, train: sparse.csr_matrix) -> Score:
        val = self.val if self.chosen is None else None
        epochs = self.chosen or self.epochs
        score, best = fit(train, dim=self.dim, epochs=epochs, learning_rate=self.learning_rate, val=val, seed=self.seed)
        self.chosen = self.chosen or best
        return score


@torch.enable_grad()  # its callers evaluate, without gradients
def fit(
    train: sparse.csr_matrix, *, dim: int, epochs: int, learning_rate: float, val: EvaluationSet | None, seed: int
) -> tuple[Score, int]:
    """
    The scores of the best epoch by validation Recall@10 and its number, from 1; without `val` those of the last.

    A user of the training matrix has their trained vector; any other user has the sum of their items' vectors over
    √(items of the user · users of the item), one step of LightGCN's propagation.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*torch.jit.script", FutureWarning)  # torch_geometric's own code
        from torch_geometric.nn.models import LightGCN  # noqa: PLC0415 - ten seconds that only this baseline needs

    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    users, items = train.shape
    adjacency = _adjacency(train)
    model: Any = LightGCN(users + items, dim, LAYERS, normalize=False)
    # fused: it takes an exact square root, so its bits are the same on any CPU (see `learn.task.adamw`)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate, fused=True)
    pairs = train.tocoo()
    ends = np.stack([pairs.row, pairs.col + users]).astype(np.int64)
    best, best_epoch, kept = -1.0, 0, torch.zeros(0)
    for epoch in range(1, epochs + 1):
        order = rng.permutation(ends.shape[1])
        for start in range(0, len(order), BATCH):
            chosen = torch.from_numpy(ends[:, order[start : start + BATCH]])
            negative = torch.from_numpy(rng.integers(users, users + items, chosen.shape[1]))
            vectors = model.get_embedding(adjacency)
            mine, own, other = (vectors[index] for index in (chosen[0], chosen[1], negative))
            loss = model.recommendation_loss(
                (mine * own).sum(1), (mine * other).sum(1), torch.unique(torch.cat([chosen.flatten(), negative])), L2
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if val is None and epoch < epochs:
            continue
        with torch.no_grad():
            vectors = model.get_embedding(adjacency)
        recall = 0.0 if val is None else _recall(vectors[:users], vectors[users:], val)
        if recall > best:
            best, best_epoch, kept = recall, epoch, vectors
        elif epoch - best_epoch >= PATIENCE:
            break
    return _scorer(train, kept[:users].numpy(), kept[users:].numpy()), best_epoch


def _adjacency(train: sparse.csr_matrix) -> Tensor:
    """Users and items in one symmetric normalised matrix, as PyTorch's CSR."""
    users, items = train.shape
    pairs = train.tocoo()
    rows, columns = np.append(pairs.row, pairs.col + users), np.append(pairs.col + users, pairs.row)
    both = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(users + items, users + items))
    degree = np.maximum(np.asarray(both.sum(axis=1)).ravel(), 1) ** -0.5
    scaled = (sparse.diags(degree) @ both @ sparse.diags(degree)).tocsr().astype(np.float32)
    scaled.sort_indices()
    indptr, ends = (torch.from_numpy(part.astype(np.int64)) for part in (scaled.indptr, scaled.indices))
    return torch.sparse_csr_tensor(indptr, ends, torch.from_numpy(scaled.data), scaled.shape, check_invariants=False)


def _recall(users: Tensor, items: Tensor, val: EvaluationSet) -> float:
    ranked = rank_by(dot_scorer(users, items, items.new_zeros(len(items))), val, places=SELECTED_AT, block=BLOCK)
    return float(recall_at(ranked.hits, ranked.relevant, SELECTED_AT).mean())


def _scorer(
    train: sparse.csr_matrix, users: NDArray[np.float32], items: NDArray[np.float32]
) -> Callable[[sparse.csr_matrix], NDArray[np.float32]]:
    """Users of the training matrix are recognised by having the same items."""
    trained = {_key(train, row): row for row in range(train.shape[0]) if train.indptr[row + 1] > train.indptr[row]}
    inv_sqrt_degree = np.maximum(np.asarray(train.sum(axis=0)).ravel(), 1) ** -0.5
    step = (items * inv_sqrt_degree[:, None]).astype(np.float32)

    def score(known: sparse.csr_matrix) -> NDArray[np.float32]:
        counts = np.maximum(np.asarray(known.sum(axis=1)), 1)
        vectors = np.asarray(known @ step) / np.sqrt(counts)
        for row in range(known.shape[0]):
            own = trained.get(_key(known, row))
            if own is not None:
                vectors[row] = users[own]
        return np.asarray(vectors @ items.T, dtype=np.float32)

    return score


def _key(matrix: sparse.csr_matrix, row: int) -> bytes:
    return bytes(matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]].data)
