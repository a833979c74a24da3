"""The LightGCN baseline: how users are scored once it is trained (training itself is tested with the stages)."""

import numpy as np
import pytest
from scipy import sparse

from winnow.recommend.lightgcn import _scorer

USERS = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, -1.0]], dtype=np.float32)
ITEMS = np.array([[1.0, 2.0], [0.5, 0.0], [0.0, -1.0], [3.0, 1.0]], dtype=np.float32)
TRAIN = sparse.csr_matrix(np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 0]], dtype=np.float32))


def test_users_of_the_training_matrix_have_their_trained_vectors() -> None:
    assert _scorer(TRAIN, USERS, ITEMS)(TRAIN[[2, 0]]) == pytest.approx(USERS[[2, 0]] @ ITEMS.T)


def test_other_users_are_one_step_of_propagation() -> None:
    known = sparse.csr_matrix(np.array([[0, 1, 1, 0], [0, 0, 0, 0]], dtype=np.float32))
    vector = (ITEMS[1] / np.sqrt(2 * 2) + ITEMS[2] / np.sqrt(2 * 2)) @ ITEMS.T  # 2 items; 2 users of each item
    assert _scorer(TRAIN, USERS, ITEMS)(known) == pytest.approx(np.stack([vector, np.zeros(4)]))
