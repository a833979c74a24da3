"""The LightGCN baseline: how users are scored once it is trained (training itself is tested with the stages)."""

import numpy as np
import pytest
from scipy import sparse

from tests.library.recommend import small
from winnow.recommend import lightgcn
from winnow.recommend.graph import matrix_of
from winnow.recommend.heldout import hold_out
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


def test_a_later_fit_is_not_stopped_by_rows_that_it_learns_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fitted to training and validation rows it takes the epochs that were best before, and looks at no row."""
    hidden = small.pairs(seed=3, share=0.1)
    held = hold_out(small.graph(), hidden=hidden, known=small.pairs())
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
