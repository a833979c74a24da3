"""The LightGCN baseline: how users are scored once it is trained (training itself is tested with the stages)."""

import numpy as np
import pytest
import torch
from scipy import sparse

from tests.library.recommend import small
from winnow.recommend import lightgcn
from winnow.recommend.evaluation_set import evaluation_set
from winnow.recommend.graph import matrix_of
from winnow.recommend.lightgcn import EarlyStopped, _scorer, fit

USERS = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, -1.0]], dtype=np.float32)
ITEMS = np.array([[1.0, 2.0], [0.5, 0.0], [0.0, -1.0], [3.0, 1.0]], dtype=np.float32)
TRAIN = sparse.csr_matrix(np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 0]], dtype=np.float32))


def test_users_of_the_training_matrix_have_their_trained_vectors() -> None:
    assert _scorer(TRAIN, USERS, ITEMS)(TRAIN[[2, 0]]) == pytest.approx(USERS[[2, 0]] @ ITEMS.T)


def test_other_users_are_one_step_of_propagation() -> None:
    known = sparse.csr_matrix(np.array([[0, 1, 1, 0], [0, 0, 0, 0]], dtype=np.float32))
    vector = (ITEMS[1] / np.sqrt(2 * 2) + ITEMS[2] / np.sqrt(2 * 2)) @ ITEMS.T  # 2 items; 2 users of each item
    assert _scorer(TRAIN, USERS, ITEMS)(known) == pytest.approx(np.stack([vector, np.zeros(4)]))


def test_it_learns_as_dense_matrices_do() -> None:
    """Three layers over the normalised graph, their mean, and BPR with a penalty on the vectors of the batch."""
    train, seed, epochs, rate = matrix_of(small.graph()), 3, 4, 0.05
    users, items = train.shape
    matrix = torch.from_numpy(train.toarray())
    both = torch.zeros(users + items, users + items)
    both[:users, users:], both[users:, :users] = matrix, matrix.T
    root = both.sum(0).clamp_min(1) ** -0.5
    graph = root[:, None] * both * root
    torch.manual_seed(seed)
    own = torch.nn.Parameter(torch.nn.init.xavier_uniform_(torch.nn.Embedding(users + items, 6).weight.detach()))
    optimizer, rng = torch.optim.Adam([own], lr=rate), np.random.default_rng(seed)
    pairs = train.tocoo()
    for _ in range(epochs):
        order = torch.from_numpy(rng.permutation(train.nnz))
        user, item = (torch.from_numpy(each.astype(np.int64))[order] for each in (pairs.row, pairs.col + users))
        other = torch.from_numpy(rng.integers(users, users + items, train.nnz))
        steps = [own, graph @ own, graph @ graph @ own, graph @ graph @ graph @ own]
        vectors = torch.stack(steps).mean(0)
        apart = (vectors[user] * (vectors[item] - vectors[other])).sum(1)
        touched = torch.cat([user, item, other]).unique()
        loss = -torch.nn.functional.logsigmoid(apart).mean() + 1e-3 * own[touched].square().sum() / train.nnz
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        vectors = (own + graph @ own + graph @ graph @ own + graph @ graph @ graph @ own) / 4
        expected = vectors[:users] @ vectors[users:].T
    found, last = fit(train, dim=6, epochs=epochs, learning_rate=rate, val=None, seed=seed)
    assert last == epochs
    assert train.nnz < lightgcn.BATCH, "a step an epoch"
    np.testing.assert_allclose(found(train), expected, atol=1e-4)


def test_a_later_fit_is_not_stopped_by_rows_that_it_learns_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fitted to training and validation rows it takes the epochs that were best before, and looks at no row."""
    hidden = small.pairs(seed=3, share=0.1)
    held = evaluation_set(small.graph(), hidden=hidden, known=small.pairs())
    recalls = iter([0.1, 0.3, 0.2, *[0.0] * 30])
    monkeypatch.setattr(lightgcn, "_recall", lambda *_: next(recalls))
    stopped = EarlyStopped(dim=4, epochs=20, learning_rate=0.01, val=held, seed=0)
    train = matrix_of(small.graph())
    stopped(train)
    assert stopped.chosen == 2
    assert len(list(recalls)) == 33 - (2 + lightgcn.PATIENCE), "it stops so many epochs after the best one"
    more = matrix_of(small.graph(seed=5))
    again = stopped(more)
    expected, last = fit(more, dim=4, epochs=2, learning_rate=0.01, val=None, seed=0)
    assert last == 2
    assert again(more) == pytest.approx(expected(more)), "without a look at the recall, which would end in an error now"
