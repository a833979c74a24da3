"""Dense products of sparse matrices, against numpy's."""

import numpy as np
from scipy import sparse

from winnow.recommend.products import PIECE, add_transposed, dense_product


def test_it_is_the_product() -> None:
    rng = np.random.default_rng(0)
    left = np.where(rng.random((5, 7)) < 0.4, rng.random((5, 7)), 0).astype(np.float32)
    right = np.where(rng.random((7, 9)) < 0.4, rng.random((7, 9)), 0).astype(np.float32)
    left[2] = 0  # a row without entries
    found = dense_product(sparse.csr_matrix(left), sparse.csr_matrix(right))
    assert found.dtype == np.float32
    assert np.allclose(found, left @ right, atol=1e-6)


def test_a_transpose_is_added_whole_whatever_the_pieces() -> None:
    rng = np.random.default_rng(0)
    for rows, columns in ((5, 2 * PIECE // 5 + 3), (3, 4), (0, 7), (2, 0)):
        table, other = rng.random((rows, columns), np.float32), rng.random((columns, rows), np.float32)
        expected = table + other.T
        add_transposed(table, other)
        assert np.array_equal(table, expected)
