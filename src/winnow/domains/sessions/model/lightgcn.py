"""LightGCN as torch_geometric has it (He et al. 2020), trained with its own BPR loss: a baseline."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from winnow.domains.sessions.model.ranking import rank_by
from winnow.domains.sessions.model.tensors import Held
from winnow.measure.ranking import recall_at

LAYERS = 3
BATCH = 1024
L2 = 1e-3
BLOCK = 512
PATIENCE = 10


@torch.enable_grad()  # its callers judge, without gradients
def fit(
    train: sparse.csr_matrix, *, dim: int, epochs: int, learning_rate: float, val: Held, seed: int
) -> Callable[[sparse.csr_matrix], NDArray[np.float32]]:
    """
    The best epoch by validation Recall@10.

    Scores by the song vectors alone: a user is the sum of her songs' vectors over √(her songs · listeners), one step of
    its own propagation, so that users it never saw have a vector too; those it saw have their own added.
    """
    from torch_geometric.nn.models import LightGCN  # noqa: PLC0415 - ten seconds that only this baseline needs

    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    users, songs = train.shape
    adjacency = _adjacency(train)
    model: Any = LightGCN(users + songs, dim, LAYERS, normalize=False)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    pairs = train.tocoo()
    ends = np.stack([pairs.row, pairs.col + users]).astype(np.int64)
    best, waited, kept = -1.0, 0, torch.zeros(0)
    for _ in range(epochs):
        order = rng.permutation(ends.shape[1])
        for start in range(0, len(order), BATCH):
            chosen = torch.from_numpy(ends[:, order[start : start + BATCH]])
            negative = torch.from_numpy(rng.integers(users, users + songs, chosen.shape[1]))
            vectors = model.get_embedding(adjacency)
            mine, own, other = (vectors[index] for index in (chosen[0], chosen[1], negative))
            loss = model.recommendation_loss(
                (mine * own).sum(1), (mine * other).sum(1), torch.unique(torch.cat([chosen.flatten(), negative])), L2
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            vectors = model.get_embedding(adjacency)
        recall = _recall(vectors[:users], vectors[users:], val)
        best, waited, kept = (recall, 0, vectors) if recall > best else (best, waited + 1, kept)
        if waited >= PATIENCE:
            break
    return _scorer(train, kept[:users].numpy(), kept[users:].numpy())


def _adjacency(train: sparse.csr_matrix) -> Tensor:
    """Users and songs in one symmetric normalised matrix, as PyTorch's CSR."""
    users, songs = train.shape
    pairs = train.tocoo()
    rows, columns = np.append(pairs.row, pairs.col + users), np.append(pairs.col + users, pairs.row)
    both = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(users + songs, users + songs))
    degree = np.maximum(np.asarray(both.sum(axis=1)).ravel(), 1) ** -0.5
    scaled = (sparse.diags(degree) @ both @ sparse.diags(degree)).tocsr().astype(np.float32)
    scaled.sort_indices()
    starts, ends = (torch.from_numpy(part.astype(np.int64)) for part in (scaled.indptr, scaled.indices))
    return torch.sparse_csr_tensor(starts, ends, torch.from_numpy(scaled.data), scaled.shape, check_invariants=False)


def _recall(users: Tensor, songs: Tensor, val: Held) -> float:
    ranked = rank_by(lambda numbers: users[torch.from_numpy(numbers)] @ songs.T, val, BLOCK)
    return float(recall_at(ranked.hits, ranked.relevant, 10).mean())


def _scorer(
    train: sparse.csr_matrix, users: NDArray[np.float32], songs: NDArray[np.float32]
) -> Callable[[sparse.csr_matrix], NDArray[np.float32]]:
    """Users of the training matrix, told by having the same songs, have their trained vector."""
    trained = {_key(train, row): row for row in range(train.shape[0]) if train.indptr[row + 1] > train.indptr[row]}
    listeners = np.maximum(np.asarray(train.sum(axis=0)).ravel(), 1) ** -0.5
    step = (songs * listeners[:, None]).astype(np.float32)

    def score(known: sparse.csr_matrix) -> NDArray[np.float32]:
        counts = np.maximum(np.asarray(known.sum(axis=1)), 1)
        vectors = np.asarray(known @ step) / np.sqrt(counts)
        for row in range(known.shape[0]):
            own = trained.get(_key(known, row))
            if own is not None:
                vectors[row] = users[own]
        return np.asarray(vectors @ songs.T, dtype=np.float32)

    return score


def _key(matrix: sparse.csr_matrix, row: int) -> bytes:
    return bytes(matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]].data)
